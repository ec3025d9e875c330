//! The paper's evaluation, small.

use std::process::Command;

use hexswarm_sim::paper::{Claim, Extent, Paper, Verdict, evaluate};

fn small(figure: u32) -> Paper {
    let extent = Extent {
        seeds: 1..2,
        requests: 40,
        outputs: vec![64],
        rates: vec![0.5, 4.0],
        scales: vec![5.0, 20.0],
    };
    evaluate(&extent, Some(figure), &|_, _| {}).unwrap()
}

fn claim<'a>(paper: &'a Paper, what: &str) -> &'a Claim {
    let found = paper.claims.iter().find(|claim| claim.what.contains(what));
    found.unwrap_or_else(|| panic!("{what}: {:?}", paper.claims))
}

#[test]
fn chains_of_one_card_are_late_where_stages_of_several_are_not() {
    let paper = small(3);
    let rate = claim(&paper, "request rate: 30 cards, HexGen over 30 cards, Petals");
    assert!(rate.ours.contains("the other reaches nothing in 1 of 2"), "{rate:?}");
    // What one reaches alone is no factor, however large.
    assert_eq!(rate.verdict, Verdict::NotReproduced);
    let sooner = claim(&paper, "earlier deadline: 30 cards, HexGen over 30 cards, Petals");
    assert_eq!(sooner.published, "up to 3.5x");
    assert_eq!(paper.figures.iter().map(|figure| figure.number).collect::<Vec<_>>(), [3]);
    let [by_rate, by_scale] = &paper.figures[0].charts[..] else { panic!("{:?}", paper.figures) };
    assert_eq!(by_rate.series.len(), 2);
    // What is in time by one deadline is by every longer one.
    for line in &by_scale.series {
        assert!(line.points.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{line:?}");
    }
    let again = small(3);
    assert_eq!((paper.claims, paper.figures), (again.claims, again.figures));
}

#[test]
fn the_case_study_has_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let sim = |figure: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
        command.args(["paper", "--quick", "--json", "--figure", figure, "--html"]).arg(&page);
        command.output().unwrap()
    };
    let done = sim("1");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let document: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let claims = document["claims"].as_array().unwrap();
    assert_eq!(claims.len(), 2);
    assert_eq!(claims[0]["verdict"], "reproduced", "{claims:?}");
    assert_eq!(document["figures"][0]["charts"][0]["series"].as_array().unwrap().len(), 3);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("<svg ") && html.contains("case study"));
    let names = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!names.contains("src=") && !names.contains("http"), "a page needs nothing beside it");
    let wrong = sim("12");
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("there is no figure 12") && said.contains("3  half the price"), "{said}");
}
