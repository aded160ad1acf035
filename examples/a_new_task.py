"""A task of your own: about n words, give or take one, in words that the embedded model knows.

A package offers it, without an import, as an entry point of the group `if_circuits.tasks`; then
`if-circuits run if-tiny --tasks about_n_words` finds it.
"""

import if_circuits as ifc


@ifc.task(
    "about_n_words",
    family="length",
    draw={"n": [9, 10, 11, 12]},
    paraphrases=["Keep it to exactly {n} words.", "Limit yourself to exactly {n} words."],
)
def about_n_words(response, *, n):
    words = len(response.split())
    return abs(words - n) <= 1, f"{words} words, asked for about {n}"


prompts = ifc.prompts(["word_count", "about_n_words"], n=30, per_query=2, counterparts=True)
rows = ifc.respond(ifc.load_model("if-tiny"), prompts, temperature=0)
rows["prompts"] = rows["constrained"].map({True: "constrained", False: "unconstrained"})
satisfied = rows["verdict"].eq("satisfied").groupby([rows["task"], rows["prompts"]], sort=False)
print(satisfied.agg(share="mean", n="size").to_string(float_format="{:.2f}".format))
for row in rows.query("task == 'about_n_words' and constrained").head(3).itertuples():
    print(row.prompt, row.response, row.reason, sep=" | ")
