//! A plan, drawn in text: a box a stage, a bar a member.

use crate::status::{PlanView, StageView};

/// Characters of a bar that shows the whole of a stage's columns.
const BAR: u32 = 12;

/// The plan as people see it in a terminal, its peers as `name` calls them.
pub fn plan_text(plan: &PlanView, name: impl Fn(&str) -> String) -> String {
    let mut text = match plan.term {
        0 => "plan\n".to_owned(),
        term => format!("plan {term}.{} by {}\n", plan.epoch, name(&plan.leader)),
    };
    for (number, pipeline) in plan.pipelines.iter().enumerate() {
        if plan.pipelines.len() > 1 {
            text += &format!("pipeline {number}\n");
        }
        let stages: Vec<_> = pipeline.stages.iter().map(|stage| lines(stage, &name)).collect();
        let width = stages.iter().flatten().map(|line| line.chars().count()).max().unwrap_or(0);
        let edge = format!("  +{}+\n", "-".repeat(width + 2));
        text += "    prompt\n";
        for stage in &stages {
            text += "      v\n";
            text += &edge;
            for line in stage {
                text += &format!("  | {line:width$} |\n");
            }
            text += &edge;
        }
        text += "      v\n    next token: to the entry, and back to the first stage\n";
        if pipeline.tpot_ms > 0.0 {
            text += &format!(
                "    predicted: TTFT {:.0} ms, TPOT {:.1} ms, {:.2} requests/s\n",
                pipeline.ttft_ms, pipeline.tpot_ms, pipeline.requests_per_s
            );
        }
    }
    text
}

/// What is written into a stage's box.
fn lines(stage: &StageView, name: &impl Fn(&str) -> String) -> Vec<String> {
    let [first, end] = stage.layers;
    let many = match stage.members.len() {
        1 => String::new(),
        members => format!(", tensor parallel over {members}"),
    };
    let count = end.saturating_sub(first);
    let mut lines = vec![format!("layers {} ({count}){many}", run([first, end]))];
    let width = columns(stage).1;
    let names = stage.members.iter().map(|m| format!("{} device {}", name(&m.peer), m.device));
    let names: Vec<_> = names.collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    lines.extend(stage.members.iter().zip(&names).map(|(member, name)| {
        let (bar, heads) = (bar(member.ffn_columns, width, BAR), run(member.kv_heads));
        format!("{name:longest$}  [{bar}]  KV heads {heads}, FFN {}", run(member.ffn_columns))
    }));
    lines
}

fn columns(stage: &StageView) -> (u32, u32) {
    let first = stage.members.iter().map(|member| member.ffn_columns[0]).min();
    let end = stage.members.iter().map(|member| member.ffn_columns[1]).max();
    (first.unwrap_or(0), end.unwrap_or(1))
}

/// So many characters that show which part of a whole this is.
pub(crate) fn bar(part: [u32; 2], whole: u32, characters: u32) -> String {
    let place =
        |at: u32| (u64::from(at) * u64::from(characters) / u64::from(whole.max(1))) as usize;
    let [first, end] = part.map(place);
    let end = end.max(first.saturating_add(1)); // the smallest share is seen, too
    (0..characters as usize).map(|at| if (first..end).contains(&at) { '#' } else { '.' }).collect()
}

/// From the first to the last, as people count.
fn run([first, end]: [u32; 2]) -> String {
    format!("{first}-{}", end.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{MemberView, PipelineView};

    fn plan(stages: &[([u32; 2], &[[u32; 4]])]) -> PlanView {
        let member = |[head, heads, column, columns]: &[u32; 4]| MemberView {
            peer: "12D3KooWabcdefgh".to_owned(),
            device: 1,
            kv_heads: [*head, *heads],
            ffn_columns: [*column, *columns],
        };
        let stage = |(layers, shares): &([u32; 2], &[[u32; 4]])| StageView {
            layers: *layers,
            members: shares.iter().map(member).collect(),
            ..StageView::default()
        };
        let stages = stages.iter().map(stage).collect();
        let pipelines = vec![PipelineView { stages, ..PipelineView::default() }];
        PlanView { term: 2, epoch: 1, leader: "l".into(), pipelines }
    }

    fn draw(plan: &PlanView) -> String {
        plan_text(plan, |peer| format!("…{}", super::super::status::short(peer)))
    }

    #[test]
    fn stages_are_boxes_and_members_bars() {
        let pair: &[_] = &[[0, 2, 0, 1024], [2, 3, 1024, 1536]];
        let text = draw(&plan(&[([0, 13], &[[0, 3, 0, 1536]]), ([13, 30], pair)]));
        let wanted = "plan 2.1 by …l
    prompt
      v
  +-----------------------------------------------------------------+
  | layers 0-12 (13)                                                |
  | …abcdefgh device 1  [############]  KV heads 0-2, FFN 0-1535    |
  +-----------------------------------------------------------------+
      v
  +-----------------------------------------------------------------+
  | layers 13-29 (17), tensor parallel over 2                       |
  | …abcdefgh device 1  [########....]  KV heads 0-1, FFN 0-1023    |
  | …abcdefgh device 1  [........####]  KV heads 2-2, FFN 1024-1535 |
  +-----------------------------------------------------------------+
      v
    next token: to the entry, and back to the first stage
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_largest_models_fit_a_terminal_and_no_plan_breaks_it() {
        let large = draw(&plan(&[([100, 126], &[[112, 128, 43_008, 53_248]])]));
        assert!(large.lines().all(|line| line.chars().count() <= 80), "{large}");
        draw(&plan(&[([0, 0], &[[u32::MAX, 0, u32::MAX, 0]])]));
        draw(&plan(&[([5, 1], &[])]));
    }
}
