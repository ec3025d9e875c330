//! Plans: that they fit and repeat, that none is faster, and that no pool does harm.

mod absurd;
mod catalogue;
mod drafts;
mod fit;
mod flow;
mod helix;
mod laws;
mod pool_file;
mod pool_schema;
mod pools;
mod replicas;
mod teams;
mod tiny;
