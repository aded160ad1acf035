"""Remove, while the model writes, the direction that tells satisfied from violated responses.

Fitted on half of the base queries, removed on the other, beside random ones. Read at the last token it takes
the end of the response with it: JSON is then never closed. Read along the response it does not.
"""

import warnings

import if_circuits as ifc

TASK, LAYER = "json_format", 3
warnings.filterwarnings("ignore", message=".*read at 'last'")  # to see what it warns of is the point here

model = ifc.load_model("if-tiny")
prompts = ifc.prompts(TASK, n=40, per_query=3)
fitting = prompts["base_query"].isin(prompts["base_query"].unique()[::2])
acts = ifc.capture(model, ifc.respond(model, prompts[fitting], samples=4), layers=LAYER)
at_last = ifc.DifferenceInMeans.fit(acts.at(layer=LAYER, position="last"))
along = ifc.DifferenceInMeans.fit(acts.along_response(layer=LAYER))

conditions = {"intact": [], "at last": at_last.ablate(), "along": along.ablate()}
for i in range(3):
    conditions[f"random {i}"] = ifc.random_subspace(1, mean=at_last.mean, seed=i).ablate(layers=LAYER)
answers = ifc.respond(model, prompts[~fitting], temperature=0, conditions=conditions)
compliance = answers["verdict"].eq("satisfied").groupby(answers["condition"], sort=False).mean()
print(f"{TASK} satisfied, rank 1 removed at layer {LAYER}")
print(compliance.to_string(float_format="{:.0%}".format))
for prompt, pair in answers.pivot(index="prompt", columns="condition", values="response").head(2).iterrows():
    print(prompt, f"  intact   {pair['intact']}", f"  at last  {pair['at last']}", sep="\n")
