//! Plans that tests make.

use std::sync::Arc;

use swarm_proto::{
    ColumnRange, Hash, HeadRange, LayerRange, Member, NodeId, Pipeline, Plan, PlanId, Predicted,
    Stage,
};

/// A stage for each node.
pub(super) fn pipeline(nodes: &[u8], predicted: Predicted) -> Pipeline {
    let member = |node: &u8| Member {
        node: NodeId([*node; 32]),
        device: 0,
        kv_heads: HeadRange::new(0, 1).unwrap(),
        ffn_columns: ColumnRange::new(0, 1).unwrap(),
    };
    let layers = LayerRange::new(0, 1).unwrap();
    let stage = |node| Stage { layers, members: vec![member(node)], step_us: 0 };
    Pipeline { stages: nodes.iter().map(stage).collect(), predicted }
}

pub(super) fn plan(pipelines: Vec<Pipeline>) -> Arc<Plan> {
    let (leader, model) = (NodeId([0; 32]), Hash([0; 32]));
    Arc::new(Plan { id: PlanId::default(), leader, model, pipelines })
}
