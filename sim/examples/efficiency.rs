//! Fits which parts of their makers' figures cards reach to layers that were measured, and prints the
//! table that comes with the simulator:
//!
//!     cargo run --release -p hexswarm-sim --example efficiency > sim/data/efficiency.csv

fn main() -> Result<(), hexswarm_sim::FitError> {
    print!("{}", hexswarm_sim::efficiency_table()?);
    Ok(())
}
