"""A judge of your own: register by the length of words, beside the lexicon that judges it by default.

A package offers it as an entry point of the group `if_circuits.judges`; then `--judge register=word-length`
finds it.
"""

import re

import pandas as pd

import if_circuits as ifc


@ifc.judge("word-length")
def word_length(text):
    words = re.findall(r"\w+", text)
    mean = sum(map(len, words)) / max(len(words), 1)
    return ("formal" if mean > 4.2 else "informal"), mean


rows = ifc.respond(ifc.load_model("if-tiny"), ifc.prompts("register", n=30, per_query=3), temperature=0)
names = ("register-lexicon", "word-length")
judged = pd.DataFrame({name: ifc.verify(rows, chosen=[("register", name)])["verdict"] for name in names})
print(judged.value_counts().to_string())
print(f"they agree on {(judged[names[0]] == judged[names[1]]).mean():.0%} of {len(rows)} responses, such as")
print(
    rows.assign(verdict=judged[names[1]])[["response", "verdict"]].head(4).to_csv(index=False, header=False)
)
