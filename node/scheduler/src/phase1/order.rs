//! In which orders classes may follow one another.

/// One class as the next of a chain.
pub(super) struct Step {
    /// Its place in the group.
    pub(super) place: usize,
    /// Whether the chain may begin with it.
    pub(super) first: bool,
    /// Whether the chain may end with it.
    pub(super) last: bool,
    /// The steps that may come before, all of which are earlier ones.
    pub(super) before: Vec<usize>,
}

/// Every subset of so many classes in every order: a step for each set of classes used and the last
/// of them. Only some may be first; unless classes may idle, all of them are used.
pub(super) fn every(count: usize, firsts: &[usize], idle: bool) -> Vec<Step> {
    let all = (1usize << count) - 1;
    let has = |mask: usize, place: usize| mask >> place & 1 == 1;
    // Those of a set are as many as its members; sets come in the order of their numbers.
    let mut begins = vec![0; all + 2];
    (1..=all).for_each(|mask| begins[mask + 1] = begins[mask] + mask.count_ones() as usize);
    let number = |mask: usize, place: usize| {
        begins[mask] + (mask & ((1 << place) - 1)).count_ones() as usize
    };
    let step = |mask: usize, place: usize| {
        let rest = mask & !(1 << place);
        Step {
            place,
            first: rest == 0 && firsts.contains(&place),
            last: idle || mask == all,
            before: (0..count).filter(|p| has(rest, *p)).map(|p| number(rest, p)).collect(),
        }
    };
    let places = |mask: usize| (0..count).filter(move |place| has(mask, *place));
    (1..=all)
        .flat_map(|mask| places(mask).map(move |place| (mask, place)))
        .map(|(mask, place)| step(mask, place))
        .collect()
}

/// From a first, always the nearest of those that are left.
pub(crate) fn nearest(count: usize, first: usize, hop: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let mut order = vec![first];
    let mut left: Vec<usize> = (0..count).filter(|place| *place != first).collect();
    while !left.is_empty() {
        let last = order[order.len() - 1];
        let to = |n: &usize| hop(last, left[*n]);
        let nearest = (0..left.len()).min_by(|a, b| to(a).total_cmp(&to(b)));
        order.push(left.remove(nearest.unwrap_or(0)));
    }
    order
}

/// One order, any of which may be left out.
pub(super) fn one(order: &[usize]) -> Vec<Step> {
    let step = |(number, place): (usize, &usize)| Step {
        place: *place,
        first: true,
        last: true,
        before: (0..number).collect(),
    };
    order.iter().enumerate().map(step).collect()
}
