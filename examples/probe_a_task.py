"""Can a linear probe read off the residual stream whether a response keeps to its constraint?

`prompt_end` lies before the response, `last` is its last token. What stands in brackets sees words, no
activation. `found.table` has the same numbers as a tidy table, `found.figure()` draws them.
"""

import if_circuits as ifc

model = ifc.load_model("if-tiny")
rows = ifc.respond(model, ifc.prompts("word_count", n=100, per_query=3), samples=2)
found = ifc.probe(ifc.capture(model, rows), positions=["prompt_end", "last"])
print(found)
