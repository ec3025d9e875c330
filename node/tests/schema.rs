//! The JSON Schemas in `docs/schema/` say what the types say.

use std::{fs, path::Path};

use hexswarm::{
    cli::{catalogue::Catalogue, plan::document::PlanDocument},
    client::document::AnswerDocument,
    demo::DemoDocument,
    status::{PlanView, Status},
};
use schemars::{JsonSchema, Schema, schema_for};
use swarm_scheduler::PoolFile;

fn holds<T: JsonSchema>(name: &str) {
    current(name, &schema_for!(T));
}

/// Compares a schema with its file. `UPDATE_SCHEMAS=1` writes the file anew.
fn current(name: &str, schema: &Schema) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
    let file = folder.join(format!("{name}.schema.json"));
    let schema = serde_json::to_string_pretty(schema).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&file, &schema).expect("a file");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == schema, "{} is out of date: run with UPDATE_SCHEMAS=1", file.display());
}

#[test]
fn the_schema_of_plans_is_up_to_date() {
    holds::<PlanView>("plan");
}

#[test]
fn the_schema_of_the_status_is_up_to_date() {
    holds::<Status>("status");
}

#[test]
fn the_schema_of_answers_is_up_to_date() {
    holds::<AnswerDocument>("answer");
}

#[test]
fn the_schema_of_the_demo_is_up_to_date() {
    holds::<DemoDocument>("demo");
}

#[test]
fn the_schema_of_replicas_is_up_to_date() {
    holds::<PlanDocument>("proposal");
}

#[test]
fn the_schema_of_the_catalogue_is_up_to_date() {
    holds::<Catalogue>("catalogue");
}

#[test]
fn the_schema_of_pool_files_is_up_to_date() {
    current("pool", &PoolFile::schema());
}
