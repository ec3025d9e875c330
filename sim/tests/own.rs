//! Planners, routers and scripts of one's own.

use std::{cell::RefCell, rc::Rc, time::Duration};

use hexswarm_sim::{
    Comparison, Outcome, Plans, Recipe, Report, Routers, Scenario, Setup, Wishes, World, cores,
};
use swarm_core::{Ask, Router, Way};
use swarm_proto::{Plan, Pool, SessionId};

/// Thirty seconds of the HexGen paper's 30 cards.
fn recipe() -> Recipe {
    let scenario = Scenario::named("hexgen30").unwrap();
    scenario.recipe().unwrap().at_rate(0.5, Duration::from_secs(30))
}

fn run(recipe: Recipe) -> Outcome {
    let wishes = Wishes { record: true, ..Wishes::default() };
    Scenario::from(recipe).run(0, wishes)
}

fn report(recipe: Recipe) -> Report {
    run(recipe).report.unwrap()
}

/// The scheduler that nodes run, asked through the same door as anybody's; or nobody.
#[derive(Debug)]
struct Own {
    has_one: bool,
    doubled: bool,
}

impl Plans for Own {
    fn plan(&self, pool: &Pool) -> Result<Plan, String> {
        assert!(pool.model.hidden > 1000, "planners see the model as it is");
        if !self.has_one {
            return Err("there is none today".to_owned());
        }
        let found = swarm_scheduler::plan(pool, &swarm_scheduler::Options::default());
        let mut plan = found.map_err(|error| error.to_string())?.plan;
        if self.doubled {
            plan.pipelines.extend_from_within(..1);
        }
        Ok(plan)
    }
}

#[test]
fn a_planner_of_ones_own_is_asked_and_its_plans_are_checked() {
    let by = |has_one, doubled| report(recipe().planned_by(Own { has_one, doubled }));
    let usual = by(true, false);
    assert_eq!(usual.trouble, None);
    assert!(usual.whole() == usual.served.len() && usual.whole() > 5, "{}", usual.whole());
    assert_eq!(by(false, false).trouble.as_deref(), Some("there is none today"));
    let twice = by(true, true).trouble.unwrap();
    assert!(twice.contains("cannot be") && twice.contains("named twice"), "{twice}");
}

/// Sends all sessions where they begin last.
#[derive(Debug)]
struct Last;

impl Router for Last {
    fn choose(&mut self, _: SessionId, _: &Ask, ways: &[Way<'_>]) -> Option<u16> {
        ways.last().map(|way| way.number)
    }
}

#[test]
fn a_router_of_ones_own_is_asked_and_the_usual_one_is_what_there_was() {
    let scenario = Scenario::named("hexgen58").unwrap();
    let recipe = scenario.recipe().unwrap().at_rate(4.0, Duration::from_secs(5));
    let usual = run(recipe.clone());
    assert_eq!(run(recipe.routed_by(Routers::default())).log, usual.log);
    let last = run(recipe.routed_by(Routers::of(|| Last)));
    assert_eq!((last.tokens, last.broken), (usual.tokens, vec![]));
    let compared = Comparison::run(
        [&Scenario::from(recipe.clone()), &Scenario::from(recipe.routed_by(Routers::of(|| Last)))],
        0..2,
        cores(),
    );
    let pairs = compared.unwrap().paired();
    assert!(pairs.iter().all(|(_, paired)| paired.seeds == 2));
    assert!(pairs.iter().any(|(_, paired)| paired.difference != 0.0), "all the same");
}

#[test]
fn what_a_script_does_comes_at_its_time_and_may_call_for_more() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut world = World::new(Setup::ample(3), 0);
    let at = |name: &'static str| {
        let seen = Rc::clone(&seen);
        move |world: &mut World| seen.borrow_mut().push((name, world.now().0 / 1_000_000))
    };
    let (late, again) = (at("late"), at("again"));
    world.after(Duration::from_secs(3), late);
    world.after(Duration::from_secs(1), |world| world.after(Duration::from_secs(1), again));
    world.run(Duration::from_millis(2500)).unwrap();
    assert_eq!(*seen.borrow(), [("again", 2000)]);
    world.run(Duration::from_secs(1)).unwrap();
    assert_eq!(*seen.borrow(), [("again", 2000), ("late", 3000)]);
}
