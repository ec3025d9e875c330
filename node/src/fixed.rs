//! A plan that a person gives in place of the planner's: for tests, experiments, and whoever
//! knows better.

use std::{fs, path::Path};

use color_eyre::eyre::{Context, eyre};
use swarm_proto::{
    ColumnRange, HeadRange, LayerRange, Member, NodeId, Pipeline, Plan, Pool, Predicted, Stage,
};

use crate::status::{MemberView, PlanView, StageView};

/// The plan of a file, in the shape of the `plan` that `status --json` prints. Its
/// number and leader do not matter: the leader that uses it gives it its own.
#[derive(Clone, Debug)]
pub struct FixedPlan(Vec<Pipeline>);

impl FixedPlan {
    /// Reads a file.
    pub fn read(path: &Path) -> color_eyre::Result<Self> {
        let text =
            fs::read_to_string(path).wrap_err_with(|| format!("reading {}", path.display()))?;
        let view: PlanView = serde_json::from_str(&text).wrap_err_with(|| {
            format!("{} is no plan as `status --json` has one", path.display())
        })?;
        let pipelines = view.pipelines.iter().map(|pipeline| {
            let stages = pipeline.stages.iter().map(stage).collect::<color_eyre::Result<_>>()?;
            Ok(Pipeline { stages, predicted: Predicted::default() })
        });
        Ok(Self(pipelines.collect::<color_eyre::Result<_>>()?))
    }

    /// The plan for this pool, or what it lacks.
    pub fn plan(&self, pool: &Pool) -> Result<Plan, String> {
        let plan = Plan {
            id: Default::default(),
            leader: NodeId([0; 32]),
            model: pool.model.hash,
            pipelines: self.0.clone(),
        };
        plan.check(&pool.model).map_err(|fault| format!("the plan given by --plan: {fault}"))?;
        let here = |member: &Member| {
            let machine = pool.machines.iter().find(|machine| machine.node == member.node);
            machine.is_some_and(|m| m.devices.iter().any(|device| device.index == member.device))
        };
        if let Some(absent) = plan.members().find(|member| !here(member)) {
            return Err(format!(
                "the plan given by --plan needs device {} of {}, which is not here",
                absent.device,
                crate::view::peer(absent.node),
            ));
        }
        Ok(plan)
    }
}

fn stage(view: &StageView) -> color_eyre::Result<Stage> {
    let layers = LayerRange::new(view.layers[0], view.layers[1]);
    let layers = layers.ok_or_else(|| eyre!("a stage with no layers: {:?}", view.layers))?;
    let members = view.members.iter().map(member).collect::<color_eyre::Result<_>>()?;
    Ok(Stage { layers, members, step_us: 0 })
}

fn member(view: &MemberView) -> color_eyre::Result<Member> {
    let node =
        swarm_net::parse_peer(&view.peer).ok_or_else(|| eyre!("`{}` is no peer id", view.peer))?;
    let kv_heads = HeadRange::new(view.kv_heads[0], view.kv_heads[1]);
    let ffn_columns = ColumnRange::new(view.ffn_columns[0], view.ffn_columns[1]);
    Ok(Member {
        node,
        device: view.device,
        kv_heads: kv_heads.ok_or_else(|| eyre!("no KV heads: {:?}", view.kv_heads))?,
        ffn_columns: ffn_columns.ok_or_else(|| eyre!("no columns: {:?}", view.ffn_columns))?,
    })
}
