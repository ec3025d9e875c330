//! From layouts to devices: which of a class's machines each stage gets.

use crate::{ground::Ground, phase1::Layout};

/// Devices of every stage of every layout, in their order; none for a stage that cannot be packed,
/// which degrees that were chosen to be packed never are.
pub(crate) fn place(ground: &Ground, layouts: &[&Layout]) -> Vec<Vec<Option<Vec<usize>>>> {
    let mut free: Vec<Vec<Vec<usize>>> = ground
        .classes
        .iter()
        .map(|class| class.spots.chunks(class.size).map(<[usize]>::to_vec).collect())
        .collect();
    let mut placed: Vec<Vec<Option<Vec<usize>>>> =
        layouts.iter().map(|layout| vec![None; layout.stages.len()]).collect();
    // Widest first: powers of two then fill machines without a gap.
    let mut order: Vec<(usize, usize)> = layouts
        .iter()
        .enumerate()
        .flat_map(|(n, layout)| (0..layout.stages.len()).map(move |stage| (n, stage)))
        .collect();
    order.sort_by_key(|&(n, stage)| std::cmp::Reverse(layouts[n].stages[stage].parts.len()));
    for (n, stage) in order {
        let laid = &layouts[n].stages[stage];
        let degree = laid.parts.len();
        let ours = |spot: usize| {
            placed[n]
                .iter()
                .flatten()
                .flatten()
                .any(|s| ground.spots[*s].machine == ground.spots[spot].machine)
        };
        // A machine that this pipeline has a part of; then the one that is fullest.
        let machines = &free[laid.class];
        let fits = (0..machines.len()).filter(|m| machines[*m].len() >= degree);
        let best = fits.min_by_key(|m| (!ours(machines[*m][0]), machines[*m].len(), *m));
        if let Some(machine) = best {
            placed[n][stage] = Some(free[laid.class][machine].drain(..degree).collect());
        }
    }
    placed
}
