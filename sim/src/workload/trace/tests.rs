use super::*;

fn read(text: &str) -> Trace {
    text.parse().unwrap()
}

fn told(text: &str) -> String {
    text.parse::<Trace>().unwrap_err().to_string()
}

/// When each comes, in milliseconds, and its tokens.
fn rows(trace: &Trace) -> Vec<(u128, u32, u32)> {
    let row = |a: &Arrival| (a.at.as_millis(), a.input_tokens, a.output_tokens);
    trace.arrivals.iter().map(row).collect()
}

#[test]
fn every_published_format_is_told_by_its_beginning() {
    let azure = read(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n\
         2023-11-16 18:15:46.6805900,374,44\n\
         2023-11-16 18:15:50.9951690,396,109\n",
    );
    assert_eq!((azure.format, rows(&azure)), (Format::Azure, vec![(0, 374, 44), (4314, 396, 109)]));
    let later = read(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n\
         2024-05-10 00:00:00.009930+00:00,2162,5\n\
         2024-05-10 01:00:00.017335+00:00,2399,6\n",
    );
    assert_eq!(rows(&later), vec![(0, 2162, 5), (3_600_007, 2399, 6)]);
    let burst = read(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
         5,ChatGPT,472,18,490,Conversation log\n\
         45,ChatGPT,1087,0,1087,Conversation log\n\
         118,GPT-4,417,276,693,API log\n",
    );
    assert_eq!(rows(&burst), vec![(0, 472, 18), (113_000, 417, 276)]);
    assert_eq!((burst.format, burst.failed), (Format::BurstGpt, 1));
    let mooncake = read(
        "{\"timestamp\": 0, \"input_length\": 700, \"output_length\": 5, \"hash_ids\": [0, 1]}\n\
         {\"timestamp\": 3052, \"input_length\": 1024, \"output_length\": 9, \"hash_ids\": [0, 7]}\n",
    );
    assert_eq!(rows(&mooncake), vec![(0, 700, 5), (3052, 1024, 9)]);
    assert_eq!(mooncake.arrivals[1].prefix, [0, 7]);
    let ours = read(
        "timestamp_s,input_tokens,output_tokens,block_ids_512\n\
         0.000,700,5,0-1\n\
         1.500,1600,9,0 14-16\n",
    );
    assert_eq!((ours.format, rows(&ours)), (Format::Plain, vec![(0, 700, 5), (1500, 1600, 9)]));
    assert_eq!(ours.arrivals[1].prefix, [0, 14, 15, 16]);
    let bare = read("input_tokens, output_tokens, timestamp_s, client\n7, 8, 3.0, x\n");
    assert_eq!(rows(&bare), vec![(0, 7, 8)]);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let head = "timestamp_s,input_tokens,output_tokens\n0,1,1\n";
    for (line, words) in [
        ("-1,5,5", "line 3: a time of -1 s"),
        ("nan,5,5", "line 3: a time of NaN s"),
        ("1e300,5,5", "more than a year"),
        (",5,5", "line 3: a hole where its time"),
        ("1,,5", "line 3: a hole where `input_tokens`"),
        ("1,5", "line 3: 2 cells, where the header has 3"),
        ("1,0,5", "a prompt of 0 tokens"),
        ("1,5,0", "an answer of 0 tokens"),
        ("1,99999999999,5", "a prompt of 99999999999 tokens"),
        ("1,-5,5", "`-5` is no count of tokens"),
        ("2,5,5\n1,5,5", "line 4: 1.000 s before the request of the line before"),
    ] {
        let said = told(&format!("{head}{line}\n"));
        assert!(said.contains(words), "{line}: {said}");
    }
    let blocks = "timestamp_s,input_tokens,output_tokens,block_ids_512\n";
    for (cell, words) in [
        ("0", "line 2: 1 prefix blocks, where 1000 tokens are 2 of 512"),
        ("0-18446744073709551615", "more than 2048 blocks"),
        ("5-4", "neither a block nor a run"),
        ("x", "neither a block nor a run"),
    ] {
        let said = told(&format!("{blocks}0,1000,5,{cell}\n"));
        assert!(said.contains(words), "{cell}: {said}");
    }
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    assert!(told(&format!("{azure}yesterday,5,5\n")).contains("`yesterday` is no date"));
    assert!(told("{\"timestamp\": 0}\n").contains("line 1: missing field `input_length`"));
    assert!(told("time,prompt\n1,2\n").contains("begins with `time,prompt`"));
    assert!(told("timestamp_s,input_tokens,output_tokens\n").contains("no request"));
}

#[test]
fn blank_lines_are_nothing_and_a_line_of_json_is_told_by_its_number_in_the_file() {
    let row = "{\"timestamp\": 5, \"input_length\": 3, \"output_length\": 2}\n";
    assert_eq!(read(&format!("{row}\n{row}\n")).arrivals.len(), 2);
    let said = told(&format!("{row}\n{{\"timestamp\": 5, \"input_length\": 3}}\n"));
    assert_eq!(said, "line 3: missing field `output_length` (column 35)");
    assert_eq!((told(""), told(" \n\n")), (TraceError::Empty.to_string(), told("")));
}
