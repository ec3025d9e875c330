//! An exact maximum flow over whole-number capacities, by Dinic's algorithm.

use std::collections::VecDeque;

/// Names an edge of a [`Graph`], in the order of adding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EdgeId(usize);

#[derive(Debug, Clone, Copy)]
struct Arc {
    to: usize,
    left: u64,
}

/// A directed graph with a capacity on each edge.
///
/// Capacities are whole numbers, so that no sum rounds and the flow is the same on every machine.
#[derive(Debug, Clone)]
pub struct Graph {
    // Arc 2e is edge e, arc 2e + 1 its way back; what is left on the way back is the flow.
    arcs: Vec<Arc>,
    out: Vec<Vec<usize>>,
}

/// A maximum flow: its value, what each edge carries, and the cut that allows no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaxFlow {
    /// What leaves the source.
    pub value: u64,
    /// What each edge carries, in the order of adding.
    pub on_edge: Vec<u64>,
    /// The saturated edges of the minimum cut nearest to the source.
    pub cut: Vec<EdgeId>,
}

impl EdgeId {
    /// The place of this edge in [`MaxFlow::on_edge`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

impl Graph {
    /// A graph of `vertices` vertices and no edge.
    #[must_use]
    pub fn new(vertices: usize) -> Self {
        Self { arcs: Vec::new(), out: vec![Vec::new(); vertices] }
    }

    /// Adds an edge; parallel edges and loops are allowed.
    ///
    /// # Panics
    ///
    /// If a vertex is not of this graph.
    pub fn edge(&mut self, from: usize, to: usize, capacity: u64) -> EdgeId {
        let id = self.arcs.len();
        self.arcs.push(Arc { to, left: capacity });
        self.arcs.push(Arc { to: from, left: 0 });
        self.out[from].push(id);
        self.out[to].push(id + 1);
        EdgeId(id / 2)
    }

    /// The maximum flow from `source` to `sink`; nothing flows from a vertex to itself.
    #[must_use]
    pub fn max_flow(mut self, source: usize, sink: usize) -> MaxFlow {
        let mut value = 0;
        let mut level = self.levels(source);
        while source != sink && level[sink].is_some() {
            let mut next = vec![0; self.out.len()];
            while let Some(path) = self.path(source, sink, &level, &mut next) {
                value += self.push(&path);
            }
            level = self.levels(source);
        }
        self.certify(value, &level)
    }

    fn levels(&self, source: usize) -> Vec<Option<usize>> {
        let mut level = vec![None; self.out.len()];
        level[source] = Some(0);
        let mut queue = VecDeque::from([(source, 0)]);
        while let Some((at, depth)) = queue.pop_front() {
            for &arc in &self.out[at] {
                let Arc { to, left } = self.arcs[arc];
                if left > 0 && level[to].is_none() {
                    level[to] = Some(depth + 1);
                    queue.push_back((to, depth + 1));
                }
            }
        }
        level
    }

    // Walks down the levels without recursion; `next` never goes back within a phase.
    fn path(
        &self,
        source: usize,
        sink: usize,
        level: &[Option<usize>],
        next: &mut [usize],
    ) -> Option<Vec<usize>> {
        let (mut path, mut at) = (Vec::new(), source);
        while at != sink {
            if let Some(&arc) = self.out[at].get(next[at]) {
                let Arc { to, left } = self.arcs[arc];
                if left > 0 && level[to] == level[at].map(|depth| depth + 1) {
                    path.push(arc);
                    at = to;
                } else {
                    next[at] += 1;
                }
            } else {
                let arc = path.pop()?;
                at = self.arcs[arc ^ 1].to;
                next[at] += 1;
            }
        }
        Some(path)
    }

    fn push(&mut self, path: &[usize]) -> u64 {
        let amount = path.iter().map(|&arc| self.arcs[arc].left).min().unwrap_or(0);
        for &arc in path {
            self.arcs[arc].left -= amount;
            self.arcs[arc ^ 1].left += amount;
        }
        amount
    }

    fn certify(&self, value: u64, level: &[Option<usize>]) -> MaxFlow {
        let edges = self.arcs.len() / 2;
        let crosses = |&edge: &usize| {
            let (from, to) = (self.arcs[2 * edge + 1].to, self.arcs[2 * edge].to);
            level[from].is_some() && level[to].is_none()
        };
        MaxFlow {
            value,
            on_edge: (0..edges).map(|edge| self.arcs[2 * edge + 1].left).collect(),
            cut: (0..edges).filter(crosses).map(EdgeId).collect(),
        }
    }
}
