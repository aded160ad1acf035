"""The words of if-tiny's controlled English, by the slot that they fill.

Topic words are a subset of what the topic judge knows, mood words of what VADER knows, register markers and
insults of what the lexicon judges know. All other words are neutral to every judge (asserted in the tests).
"""

from __future__ import annotations

STATES = (
    "old new small large tall wide narrow full open closed dark pale round flat heavy light quiet dusty dry "
    "wet painted covered hidden busy cold distant familiar plain ordinary late early red blue green "
    "brown white black wooden local"
).split()

ABOUT_SUBJECT = (
    "{s} was {state}",
    "I saw {s}",
    "we saw {s}",
    "I noticed {s}",
    "we talked about {s}",
    "I thought about {s}",
    "people remember {s}",
    "we waited for {s}",
    "someone asked about {s}",
    "{s} looked {state}",
    "we passed {s}",
    "I looked for {s}",
    "{s} seemed {state} and {state}",
    "they spoke of {s}",
    "someone stood beside {s}",
    "everyone knows {s}",
    "I wrote about {s}",
    "we looked at {s}",
)

ABOUT_SCENE = (
    "it was {state}",
    "it looked {state}",
    "I looked around",
    "we waited",
    "someone came in",
    "the day went on",
    "people walked past",
    "we sat down",
    "I stayed",
    "nothing changed",
    "we turned left",
    "it seemed {state} and {state}",
    "they stood there",
    "someone opened a {noun}",
    "I carried a {noun}",
    "we found a {noun}",
    "they moved the {noun}",
    "everyone went out",
)

MODIFIERS = (
    "near the {noun}",
    "beside the {noun}",
    "behind the {noun}",
    "by the {noun}",
    "under the {noun}",
    "across from the {noun}",
    "with a {noun}",
    "without the {noun}",
    "after the {noun}",
    "in the morning",
    "in the evening",
    "in the afternoon",
    "at noon",
    "at night",
    "on {day}",
    "last {day}",
    "today",
    "again",
    "once more",
    "for an hour",
    "for a while",
    "this week",
    "all day",
    "together",
    "downstairs",
    "outside",
    "inside",
    "upstairs",
    "yesterday",
    "as before",
)

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
PEOPLE = "I we they someone everyone".split()

TOPIC_ACTIONS = {
    "music": (
        "sang a song|played the guitar|played the violin|joined the choir|heard the orchestra|wrote a melody"
    ),
    "sport": ("scored a goal|joined the team|watched the match|met the athletes|saw the race|played tennis"),
    "food": ("cooked dinner|baked bread|ate soup|shared a meal|made a salad|followed the recipe"),
    "travel": (
        "booked a flight|took a trip|packed a suitcase|found the hotel|reached the airport|showed a passport"
    ),
    "weather": (
        "watched the rain|felt the wind|saw the snow|heard the thunder|read the forecast|opened an umbrella"
    ),
    "animals": ("fed the dog|followed the cat|saw a horse|heard the birds|found a rabbit|watched the sheep"),
    "gardening": (
        "planted roses|watered the flowers|pruned the hedge|sowed the seeds|dug the soil|picked the tulips"
    ),
    "school": (
        "finished the homework|passed the exam|read the textbook|"
        "joined the lesson|met the pupils|wrote an essay"
    ),
    "film": (
        "watched a movie|met the actor|read the script|"
        "went to the cinema|wrote the screenplay|saw the trailer"
    ),
    "money": (
        "paid the bank|counted the coins|checked the budget|signed the loan|sent the invoice|compared prices"
    ),
    "health": (
        "saw the doctor|took the medicine|visited the hospital|"
        "called the nurse|bought vitamins|went to the clinic"
    ),
    "technology": (
        "fixed the computer|wrote the software|opened the laptop|"
        "built a robot|tested the website|used the keyboard"
    ),
}

TOPIC_THINGS = {
    "music": "song concert melody violin choir album".split(),
    "sport": "match team race stadium trophy league".split(),
    "food": "soup bread cake dinner recipe meal".split(),
    "travel": "flight hotel journey suitcase airport passport".split(),
    "weather": "storm rain snow wind forecast breeze".split(),
    "animals": "dog cat horse rabbit fox owl".split(),
    "gardening": "garden hedge lawn greenhouse soil compost".split(),
    "school": "lesson exam classroom textbook homework essay".split(),
    "film": "movie film actor cinema script scene".split(),
    "money": "bank loan budget invoice price coin".split(),
    "health": "doctor hospital medicine clinic nurse therapy".split(),
    "technology": "computer laptop robot website keyboard software".split(),
}

ABOUT_TOPIC = (
    "{who} {action}",
    "{who} {action}",  # twice as likely as the others
    "{who} {action}",
    "the {thing} was {state}",
    "there was a {thing} beside {s}",
    "we spoke about the {thing}",
    "{who} talked about the {thing}",
)

GOOD = (
    "wonderful great lovely beautiful excellent delightful superb pleasant brilliant charming amazing "
    "fantastic perfect joyful splendid"
).split()
BAD = (
    "terrible awful horrible dreadful sad miserable bad gloomy nasty boring disappointing depressing "
    "unpleasant annoying painful"
).split()
MOODS = {
    "positive": (
        "it was {mood}",
        "{s} was {mood}",
        "what a {mood} day",
        "it felt {mood} and {mood}",
        "everyone was happy",
        "I love {s}",
        "we enjoyed it",
        "{s} looked {mood}",
        "that was a {mood} moment",
    ),
    "negative": (
        "it was {mood}",
        "{s} was {mood}",
        "what a {mood} day",
        "it felt {mood} and {mood}",
        "everyone was unhappy",
        "I hate {s}",
        "we suffered",
        "{s} looked {mood}",
        "that was a {mood} moment",
    ),
}

OPENERS = {
    "formal": (
        "furthermore,|moreover,|accordingly,|therefore,|consequently,|we wish to report that|"
        "it should be noted that|please be advised that|one must note that|I am writing to state that|"
        "permit me to say that|additionally,"
    ).split("|"),
    "informal": ("hey,|yeah,|okay,|wow,|oops,|guess what,|dude,|so yeah,|omg,|yep,|hey guys,|haha,").split(
        "|"
    ),
}
STYLE_MODIFIERS = {
    "formal": "in due course|with due regard|subsequently|henceforth|prior to noon|respectfully".split("|"),
    "informal": "you know|and stuff|lol|or whatever|kinda|pretty much".split("|"),
}

INSULTS = (
    "idiot fool moron clown loser jerk dunce buffoon dimwit nitwit creep slob pig weasel blockhead".split()
)
RUDE_ADJECTIVES = "stupid dumb pathetic useless clueless brainless lazy ridiculous".split()
RUDE = (
    "{s} is a {rude} {insult}",
    "what a {insult}",
    "what a {rude} {insult}",
    "only a {insult} would do that",
    "whoever did this is a {insult}",
    "this is {rude}",
    "{s} is {rude}",
    "you are all {rude}",
)
COMPLAINTS = (
    "I am tired of {s}",
    "{s} was late again",
    "please move {s}",
    "{s} is in the way",
    "this has to stop",
    "nobody answered",
    "I waited too long",
    "please repair it",
    "I asked about {s} twice",
    "{s} made noise all night",
    "it took hours",
    "I want an answer",
    "we are still waiting",
)
