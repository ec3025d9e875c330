//! Names, as people write them.

use swarm_scheduler::catalogue::{Unknown, device, devices, format, model, models};

#[test]
fn names_are_found_however_they_are_written() {
    for (written, meant) in [
        ("rtx 3090 ti", "RTX3090Ti"),
        ("RTX-3090", "RTX3090"),
        ("NVIDIA GeForce RTX 4090", "RTX4090"),
        ("a6000", "RTX-A6000"),
        ("a100-40", "A100-SXM-40GB"),
        ("h100", "H100-SXM-80GB"),
        ("l40s", "L40S"),
    ] {
        assert_eq!(device(written).unwrap().name, meant, "{written}");
    }
    for (written, meant) in [
        ("llama-2-70b", "Llama-2-70b"),
        ("meta-llama/Llama-2-70b-chat-hf", "Llama-2-70b"),
        ("Llama-3-8B-Instruct", "Llama-3-8B"),
        ("qwen3 32b", "Qwen3-32B"),
    ] {
        assert_eq!(model(written).unwrap().name, meant, "{written}");
    }
    assert_eq!(format("Q4_K_M").unwrap().name, "q4_k_m");
}

#[test]
fn every_name_finds_itself() {
    devices().iter().for_each(|known| assert_eq!(device(&known.name).unwrap(), known));
    models().iter().for_each(|known| assert_eq!(model(&known.name).unwrap(), known));
    assert!(devices().len() >= 88 && models().len() >= 55);
}

#[test]
fn what_could_be_several_is_asked_for_and_typos_are_answered() {
    let several = device("a100").unwrap_err();
    assert!(matches!(&several, Unknown::Ambiguous { candidates, .. } if candidates.len() > 1));
    assert!(several.to_string().contains("A100-SXM-40GB"), "{several}");
    let typo = device("RTX30900").unwrap_err().to_string();
    assert!(typo.contains("did you mean RTX3090"), "{typo}");
    let typo = model("lama-2-7ob").unwrap_err().to_string();
    assert!(typo.contains("Llama-2-70b"), "{typo}");
    let long = model(&"x".repeat(100_000)).unwrap_err().to_string();
    assert!(long.len() < 400, "{long}");
    assert!(device("").is_err());
}
