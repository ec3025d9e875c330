"""One line of what `hexswarm demo --json` printed, read from standard input."""

import json
import sys

demo = json.load(sys.stdin)
stages = [
    f"{stage['layers'][0]}..{stage['layers'][1]} on {len(stage['members'])}"
    for stage in demo["plan"]["pipelines"][0]["stages"]
]
print(
    f"layers {', '.join(stages)}; {len(demo['token_ids'])} tokens, "
    f"TTFT {demo['ttft_ms']:.0f} ms, TPOT {demo['tpot_ms']:.1f} ms"
)
