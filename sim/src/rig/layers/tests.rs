use super::*;

const HELIX: &str = include_str!("../../../data/helix_layer_ms.csv");

fn helix() -> Layers {
    Layers::parse(HELIX, "Llama-2-70b").unwrap()
}

/// Every measured point: card, cards together, whether of prompts, rows, milliseconds.
fn points() -> Vec<(String, usize, bool, f64, f64)> {
    let rows = HELIX.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let point = |row: Vec<&str>| {
        let figure = |place: usize| row[place].parse::<f64>().unwrap();
        (row[1].to_owned(), figure(2) as usize, row[3] == "prefill", figure(4), figure(5))
    };
    rows.map(point).collect()
}

fn ms(layers: &Layers, gpu: &str, gpus: usize, prompt: f64, steps: f64) -> f64 {
    layers.card(gpu).unwrap()[&gpus].ms(prompt, steps)
}

#[test]
fn every_measured_point_is_hit_and_between_two_a_time_is_between_theirs() {
    let layers = helix();
    let at = |gpu: &str, gpus, prefill, rows| match prefill {
        true => ms(&layers, gpu, gpus, rows, 0.0),
        false => ms(&layers, gpu, gpus, 0.0, rows),
    };
    let all = points();
    assert_eq!(all.len(), 622);
    for (gpu, gpus, prefill, rows, expected) in &all {
        assert_eq!(at(gpu, *gpus, *prefill, *rows), *expected, "{gpu} x{gpus}, {rows} rows");
    }
    for pair in all.windows(2) {
        let [(gpu, gpus, prefill, low, from), (other, others, also, high, to)] = pair else {
            continue;
        };
        if (gpu, gpus, prefill) != (other, others, also) {
            continue;
        }
        let part = |part: f64| at(gpu, *gpus, *prefill, low + (high - low) * part);
        let way = [*from, part(0.25), part(0.5), part(0.75), *to];
        let rises = way.windows(2).all(|pair| pair[0] <= pair[1]);
        let falls = way.windows(2).all(|pair| pair[0] >= pair[1]);
        assert!(rises || falls, "{gpu} x{gpus} from {low} rows: {way:?}");
        assert!((way[2] - (from + to) / 2.0).abs() < 1e-9, "{gpu} x{gpus}: {way:?}");
    }
}

#[test]
fn the_slower_card_is_slower_and_more_of_them_are_faster() {
    let layers = helix();
    for (prompt, steps) in [(0.0, 1.0), (0.0, 64.0), (128.0, 0.0), (1000.0, 0.0), (100.0, 28.0)] {
        let of = |gpu, gpus| ms(&layers, gpu, gpus, prompt, steps);
        let order = [of("A100-SXM-40GB", 1), of("V100-SXM2-16GB", 1), of("L4", 1), of("T4", 1)];
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{prompt} {steps}: {order:?}");
        assert!(
            of("L4", 2) < of("L4", 1) && of("T4", 4) < of("T4", 2) && of("T4", 2) < of("T4", 1)
        );
    }
}

#[test]
fn rows_that_go_together_read_the_weights_once() {
    let layers = helix();
    let t4 = |prompt, steps| ms(&layers, "T4", 1, prompt, steps);
    // 30 ms of 500 rows of prompts and 7.8 ms of 16 steps, both of them with 7.1 ms of reading.
    assert!((t4(500.0, 16.0) - (30.0 + 7.8 - 7.1)).abs() < 1e-9);
    // Less than was measured reads as much; more takes as much more.
    assert_eq!((t4(1.0, 0.0), t4(0.0, 1.0), t4(2.0, 1.0)), (7.1, 7.1, 7.1));
    assert_eq!((t4(15_000.0, 0.0), t4(0.0, 1_000.0)), (2.0 * 479.0, 2.0 * 40.0));
    let halfway = (2.0 + 250.0) / 2.0;
    assert!((t4(halfway, 0.0) - (7.1 + 18.0) / 2.0).abs() < 1e-9);
}

#[test]
fn what_cannot_be_is_told_with_its_line() {
    let head = "model,gpu,n_gpu,phase,batch_or_tokens,ms_per_layer\n";
    for (rows, words) in [
        ("m,T4,1,decode,2,1\nm,T4,1,decode,2,1\n", "line 3: 2 rows after 2"),
        ("m,T4,1,decode,2,1\nm,T4,1,decode,1,1\n", "line 3: 1 rows after 2"),
        ("m,T4,1,decode,2,-1\n", "line 2: 2 rows in -1 ms"),
        ("m,T4,1,decode,nan,1\n", "line 2: NaN rows in 1 ms"),
        ("m,T4,1,decode,2,inf\n", "line 2: 2 rows in inf ms"),
        ("m,T4,0,decode,2,1\n", "line 2: n_gpu of 0"),
        ("m,T4,1,sleep,2,1\n", "sleep"),
        ("m,T4,1,decode,2,1\n", "of 1 T4 together it has no prefill times"),
        ("other,T4,1,decode,2,1\n", "it has layers of other, and none of m"),
        ("", "it has layers of nothing, and none of m"),
    ] {
        let said = Layers::parse(&format!("{head}{rows}"), "m").unwrap_err().to_string();
        assert!(said.contains(words), "{rows}: {said}");
    }
    assert!(Layers::parse("a,b\n1,2\n", "m").unwrap_err().to_string().contains("line 2: "));
}
