//! A plan, drawn in text: a block a stage, a bar a member.

use crate::status::{MemberView, PlanView, StageView};

/// Characters of a bar that shows the whole of a stage's columns.
const BAR: u32 = 12;

/// The plan as people see it in a terminal.
pub fn plan_text(plan: &PlanView) -> String {
    let leader = super::status::short(&plan.leader);
    let mut text = match plan.term {
        0 => "plan\n".to_owned(),
        term => format!("plan {term}.{} by …{leader}\n", plan.epoch),
    };
    for (number, pipeline) in plan.pipelines.iter().enumerate() {
        if plan.pipelines.len() > 1 {
            text += &format!("pipeline {number}\n");
        }
        let width = pipeline.stages.iter().map(|stage| columns(stage).1).max().unwrap_or(1);
        for (index, stage) in pipeline.stages.iter().enumerate() {
            let arrow = if index == 0 { "tokens ->" } else { "       ->" };
            text += &draw(stage, arrow, width);
        }
        text += "       -> next token, back to the first stage\n";
    }
    text
}

fn draw(stage: &StageView, arrow: &str, width: u32) -> String {
    let [first, end] = stage.layers;
    let many = match stage.members.len() {
        1 => String::new(),
        members => format!(", tensor parallel {members}"),
    };
    let mut text = format!("{arrow} layers {first} to {}{many}\n", end.saturating_sub(1));
    for member in &stage.members {
        text += &format!(
            "      |{}| …{} device {}: heads {}, columns {}\n",
            bar(member, width),
            super::status::short(&member.peer),
            member.device,
            run(member.kv_heads),
            run(member.ffn_columns),
        );
    }
    text
}

fn columns(stage: &StageView) -> (u32, u32) {
    let first = stage.members.iter().map(|member| member.ffn_columns[0]).min();
    let end = stage.members.iter().map(|member| member.ffn_columns[1]).max();
    (first.unwrap_or(0), end.unwrap_or(1))
}

/// Which part of the columns is this member's.
fn bar(member: &MemberView, width: u32) -> String {
    let place =
        |column: u32| (u64::from(column) * u64::from(BAR) / u64::from(width.max(1))) as usize;
    let [first, end] = member.ffn_columns.map(place);
    (0..BAR as usize).map(|at| if (first..end).contains(&at) { '#' } else { '.' }).collect()
}

fn run([first, end]: [u32; 2]) -> String {
    format!("{first}..{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::PipelineView;

    fn plan(layers: [u32; 2], shares: &[[u32; 4]]) -> PlanView {
        let member = |[head, heads, column, columns]: &[u32; 4]| MemberView {
            peer: "12D3KooWabcdefgh".to_owned(),
            device: 1,
            kv_heads: [*head, *heads],
            ffn_columns: [*column, *columns],
        };
        let members = shares.iter().map(member).collect();
        let stages = vec![StageView { layers, members }];
        PlanView { term: 2, epoch: 1, leader: "l".into(), pipelines: vec![PipelineView { stages }] }
    }

    #[test]
    fn a_stage_shows_who_has_which_part() {
        let text = plan_text(&plan([0, 30], &[[0, 2, 0, 1024], [2, 3, 1024, 1536]]));
        let wanted = "plan 2.1 by …l\n\
            tokens -> layers 0 to 29, tensor parallel 2\n      \
            |########....| …abcdefgh device 1: heads 0..2, columns 0..1024\n      \
            |........####| …abcdefgh device 1: heads 2..3, columns 1024..1536\n       \
            -> next token, back to the first stage\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_largest_models_fit_a_terminal_and_no_plan_breaks_it() {
        let large = plan_text(&plan([100, 126], &[[112, 128, 43_008, 53_248]]));
        assert!(large.lines().all(|line| line.chars().count() <= 80), "{large}");
        plan_text(&plan([0, 0], &[[u32::MAX, 0, u32::MAX, 0]]));
        plan_text(&plan([5, 1], &[]));
    }
}
