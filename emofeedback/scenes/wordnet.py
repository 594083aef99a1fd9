"""Builds words.csv from WordNet 3.0: nouns that name a concept of the scene world, and the nearest concept of others.

    python -m emofeedback.scenes.wordnet /usr/share/wordnet

reads the database files (data.noun, index.*, cntlist.rev; Debian's package wordnet-base holds them) and writes
words.csv beside this file. A noun is taken where its first sense, the most frequent one, lies below a concept's
synset, where it is a noun more often than a verb or an adjective, and where nothing speaks against it (BARRED).
"""

import argparse
import csv
import logging
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

LICENCE = """
    This software and database is being provided to you, the LICENSEE, by Princeton University under the following
    license. By obtaining, using and/or copying this software and database, you agree that you have read, understood,
    and will comply with these terms and conditions.: Permission to use, copy, modify and distribute this software and
    database and its documentation for any purpose and without fee or royalty is hereby granted, provided that you
    agree to comply with the following copyright notice and statements, including the disclaimer, and that the same
    appear on ALL copies of the software, database and documentation, including modifications that you make for
    internal use or for distribution. WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved. THIS
    SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES, EXPRESS
    OR IMPLIED. BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES OF
    MERCHANT- ABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE OR THAT THE USE OF THE LICENSED SOFTWARE, DATABASE OR
    DOCUMENTATION WILL NOT INFRINGE ANY THIRD PARTY PATENTS, COPYRIGHTS, TRADEMARKS OR OTHER RIGHTS. The name of
    Princeton University or Princeton may not be used in advertising or publicity pertaining to distribution of the
    software and/or database. Title to copyright in this software, database and any associated documentation shall at
    all times remain with Princeton University and LICENSEE agrees to preserve same.
"""
"""WordNet's licence goes with the words."""
log = logging.getLogger(__name__)

SEEDS: dict[str, str] = {
    "subject:dog": "dog.1",
    "subject:cat": "domestic_cat.1",
    "subject:horse": "horse.1 domestic_ass.1 zebra.1",
    "subject:bird": "bird.1",
    "subject:deer": "deer.1 antelope.1",
    "subject:wolf": "wolf.1",
    "subject:butterfly": "butterfly.1 moth.1",
    "subject:owl": "owl.1",
    "subject:rabbit": "rabbit.1 hare.1",
    "subject:cow": "cattle.1 bison.1",
    "subject:sheep": "sheep.1 goat.1",
    "subject:fox": "fox.1",
    "subject:bear": "bear.1",
    "subject:elephant": "elephant.1",
    "subject:fish": "fish.1",
    "subject:duck": "duck.1 goose.1",
    "subject:swan": "swan.1",
    "subject:person": "worker.1 serviceman.1 entertainer.1 artist.1 professional.1 sovereign.1 clergyman.1 "
    "traveler.1 rider.1 farmer.1 sailor.1 woman.1 man.1 relative.1 student.1 craftsman.1 sportsman.1 aristocrat.1 "
    "religionist.1 player.1 athlete.1 leader.1 friend.1 hunter.1 explorer.1 scientist.1 inhabitant.1 teacher.1",
    "subject:child": "child.1 boy.1 girl.2 juvenile.1",
    "subject:baby": "baby.1",
    "subject:old man": "old_man.1 grandparent.1 oldster.1",
    "subject:runner": "runner.6",
    "subject:dancer": "dancer.1",
    "subject:family": "family.1",
    "subject:car": "car.1",
    "subject:bicycle": "bicycle.1 motorcycle.1",
    "subject:statue": "statue.1 memorial.3 bust.2",
    "subject:tent": "tent.1",
    "subject:bench": "bench.1",
    "subject:flower": "flower.1",
    "subject:fountain": "fountain.1",
    "subject:market stall": "stall.3",
    "subject:umbrella": "umbrella.1",
    "subject:house": "house.1 building.1 hotel.1",
    "subject:lighthouse": "beacon.3",
    "subject:windmill": "windmill.1",
    "subject:church": "church.2 place_of_worship.1",
    "subject:castle": "castle.2 palace.1 fortress.1",
    "subject:tree": "tree.1",
    "subject:train": "train.1 locomotive.1",
    "subject:boat": "boat.1 sailboat.1",
    "subject:ship": "ship.1",
    "subject:palm": "palm.3",
    "subject:bridge": "bridge.1",
    "subject:tower": "tower.1",
    "subject:skyscraper": "skyscraper.1",
    "subject:bus": "bus.1",
    "subject:truck": "truck.1 tractor.1",
    "subject:airplane": "airplane.1 helicopter.1",
    "subject:hot-air balloon": "airship.1",
    "place:meadow": "grassland.1 valley.1",
    "place:forest": "forest.1 forest.2",
    "place:lake": "lake.1",
    "place:seaside": "shore.1 beach.1 sea.1 ocean.1 coast.1",
    "place:mountains": "mountain.1 hill.1 canyon.1 glacier.1",
    "place:village": "village.1 town.1",
    "place:city": "city.1",
    "place:park": "park.1",
    "place:desert": "desert.1",
    "place:river": "river.1 stream.1",
    "place:garden": "garden.1",
    "place:road": "road.1 path.2",
    "place:street": "street.1",
    "place:island": "island.1",
    "place:waterfall": "waterfall.1",
    "place:farm": "farm.1",
    "place:harbour": "seaport.1 dock.3",
    "place:bedroom": "bedroom.1",
    "place:kitchen": "kitchen.1",
    "place:cafe": "restaurant.1",
    "elements:cottage": "cabin.2 hut.2",
    "elements:graves": "grave.2 cemetery.1",
}
"""Concept -> the synsets whose hyponyms name it, as lemma.sense."""
NAMED_PLACES = frozenset({"place:city", "place:mountains", "place:island", "place:river", "place:lake", "place:desert"})
"""Concepts that take proper names too: Paris, Everest."""
BARRED_GLOSS = re.compile(
    r"offensive|derog|disparag|slur|slang|ethnic|obscen|insult|contempt|prostitut|sexual|homosexual|lesbian|nazi|"
    r"slave|concubine|criminal|extinct|fossil|hypothetical|mythical|heroin|genital|illegitimate|Negro|mulatto"
)
_BARRED_WORDS = """
    can will may set lead box home base case head hand face table form body bar well key port date line order bank
    club cross match ball back spring fall light long round stock guard scale blind fly train coach star model
    character lead master post charge star bay bow trunk branch wing tip top mark nick jack bill grace dean
    christian pet mate buff nag hack screw jade cob post moke runner racer pacer skate ray sole perch drum bass carp
    rudd dace roach chub char molly tang pollack blenny goby hake scrod shad smelt snook snapper stud maiden chase
    bug heap crate wreck hot rod compact coupe beater dumper ant tick mop rush plane gin ash box fig date plum peach
    pear orange lemon lime olive almond nut coffee cacao cocoa tea clove allspice cork rubber ebony logwood mace
    nutmeg pepper bead soap silk may march june april drake bluff rise bank drop bar belt spit point head flat floor
    range saddle alpine swell tail cap net hook ruff reeve snipe swift rail grouse quail coot diver stilt ruff kite
    drop turn do junior minor joint inn bath split cork nice reading mobile orlando phoenix buffalo lincoln jackson
    charlotte florence victoria sofia nancy kent surrey man mull skye rum barter wash cow po don oder ob main saint
    lot indus dee tweed tees aire ruhr saale forth clyde severn trent dart lace tone cam test fleet tamar issue oil
    bush major minor general private saddle seal mark cant pike draft wreath stay frank dodo mall dolphin porpoise
    fuji hammock vault burns white black gray brown green grey page cook miller baker smith mason carpenter fry pop
    hit slip creep agent bear duck subject element set bride medium second third
    bimbo eunuch gypsy limey minx slavey wench tramp broad dolphin porpoise
"""
BARRED = frozenset(_BARRED_WORDS.split())
"""Lemmas whose everyday sense is another one, or that mean nothing in a prompt."""
BARRED_PARTS = frozenset(("slave", "squaw", "negro", "bastard"))
"""Words that bar a phrase wherever they stand in it."""
NEAR_KINDS = frozenset(
    f"{aspect}:{concept}"
    for aspect, concepts in (
        (
            "subject",
            "bear boat cat cow deer dog castle horse fish house flower train airplane wolf sheep rabbit person",
        ),
        ("place", "lake mountains seaside garden"),
    )
    for concept in concepts.split()
)
"""The concepts whose relatives in WordNet look like them."""
NEAR_STEPS = 3
"""How many hypernyms up the nearest concept of a word is looked for."""
NEAR_LIMIT = 300
"""A hypernym with more hyponyms than these says too little about what lies below it."""


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning of nouns: its lemmas, what it is a kind or an instance of, and its explanation."""

    lemmas: tuple[str, ...]
    parents: tuple[str, ...]
    named: bool
    gloss: str


def read_nouns(folder: Path) -> tuple[dict[str, Synset], dict[str, list[str]]]:
    """Synsets by offset, and the offsets of each lower-case lemma, the most frequent sense first."""
    synsets: dict[str, Synset] = {}
    for line in (folder / "data.noun").read_text().splitlines():
        if line.startswith(" "):
            continue
        body, _, gloss = line.partition(" | ")
        parts = body.split()
        words = int(parts[3], 16)
        lemmas = tuple(parts[4 + 2 * i] for i in range(words))
        at = 4 + 2 * words
        pointers = [parts[at + 1 + 4 * i : at + 5 + 4 * i] for i in range(int(parts[at]))]
        parents = tuple(p[1] for p in pointers if p[0] in ("@", "@i") and p[2] == "n")
        synsets[parts[0]] = Synset(lemmas, parents, any(p[0] == "@i" for p in pointers), gloss)
    return synsets, read_index(folder / "index.noun")


def read_index(path: Path) -> dict[str, list[str]]:
    """The synset offsets of each lemma of an index file, the most frequent sense first."""
    index = {}
    for line in path.read_text().splitlines():
        if not line.startswith(" "):
            parts = line.split()
            index[parts[0]] = parts[-int(parts[2]) :]
    return index


def tag_counts(folder: Path) -> dict[tuple[str, str], int]:
    """How often (lemma, part of speech) was met in WordNet's tagged texts."""
    kinds = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for line in (folder / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        lemma, _, rest = key.partition("%")
        counts[lemma, kinds[rest[0]]] += int(count)
    return counts


class Builder:
    """Sorts WordNet's nouns under the concepts."""

    def __init__(self, folder: Path) -> None:
        self.synsets, self.index = read_nouns(folder)
        self.counts = tag_counts(folder)
        self.others = {lemma for kind in ("verb", "adj", "adv") for lemma in read_index(folder / f"index.{kind}")}
        self.seed: dict[str, str] = {}
        for concept, seeds in SEEDS.items():
            for name in seeds.split():
                lemma, _, sense = name.rpartition(".")
                self.seed.setdefault(self.index[lemma][int(sense) - 1], concept)
        self.below: dict[str, int] = defaultdict(int)
        self.children: dict[str, list[str]] = defaultdict(list)
        for offset, synset in self.synsets.items():
            for parent in synset.parents:
                self.children[parent].append(offset)

    def concept(self, offset: str) -> str | None:
        """The concept of the nearest seed above a synset, by way of any parents."""
        level = [offset]
        while level:
            for here in level:
                if here in self.seed:
                    return self.seed[here]
            level = [parent for here in level for parent in self.synsets[here].parents]
        return None

    def near(self, offset: str) -> str | None:
        """The concept that lies closest in kind: the nearest below a hypernym that is neither far nor wide."""
        here = offset
        for _ in range(NEAR_STEPS):
            parents = self.synsets[here].parents
            if not parents:
                return None
            here = parents[0]
            below = self._below(here)
            if len(below) > NEAR_LIMIT:
                return None
            found = sorted(depth_concept for o, d in below.items() if (depth_concept := (d, self.seed.get(o)))[1])
            if found:
                return found[0][1]
        return None

    def _below(self, offset: str) -> dict[str, int]:
        depth, level, out = 0, [offset], {offset: 0}
        while level and len(out) <= NEAR_LIMIT:
            depth += 1
            level = [child for here in level for child in self.children[here] if child not in out]
            out.update(dict.fromkeys(level, depth))
        return out

    def usable(self, lemma: str, offset: str, concept: str | None) -> bool:
        """Whether people who type a lemma mean this synset by it."""
        synset = self.synsets[offset]
        words = lemma.split("_")
        if (
            any(word in BARRED_PARTS for word in words)
            or lemma in BARRED
            or len(lemma) < 3
            or len(words) > 3
            or not re.fullmatch(r"[a-z_'-]+", lemma)
        ):
            return False
        if BARRED_GLOSS.search(synset.gloss) or self.index[lemma][0] != offset:
            return False
        if synset.named or any(written[:1].isupper() for written in synset.lemmas if written.lower() == lemma):
            if concept is not None and concept not in NAMED_PLACES and not concept.startswith("subject"):
                return False
            if synset.named and (concept not in NAMED_PLACES or lemma in self.others or len(self.index[lemma]) > 3):
                return False
        noun = self.counts.get((lemma, "n"), 0)
        return all(self.counts.get((lemma, kind), 0) <= noun for kind in "var")

    def words(self) -> dict[str, list[str]]:
        """Concept -> its lemmas."""
        out: dict[str, list[str]] = defaultdict(list)
        for lemma, offsets in self.index.items():
            concept = self.concept(offsets[0])
            if concept is not None and self.usable(lemma, offsets[0], concept):
                out[concept].append(lemma.replace("_", " "))
        return {concept: sorted(out[concept]) for concept in sorted(out)}

    def neighbours(self, known: set[str]) -> dict[str, list[str]]:
        """Concept -> single words that are none of its kind, but close to it."""
        out: dict[str, list[str]] = defaultdict(list)
        for lemma, offsets in self.index.items():
            if "_" in lemma or lemma in known or not self.usable(lemma, offsets[0], None):
                continue
            # a tiger is first of all a fierce person, says WordNet
            concept = next((near for o in offsets[:2] if (near := self.near(o)) in NEAR_KINDS), None)
            if concept is not None:
                out[concept].append(lemma)
        return {concept: sorted(out[concept]) for concept in sorted(out)}


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description="Build the scene world's word list from WordNet 3.0.")
    parser.add_argument("wordnet", type=Path, help="folder with WordNet's database files")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("words.csv"))
    options = parser.parse_args()
    builder = Builder(options.wordnet)
    words = builder.words()
    near = builder.neighbours({lemma for lemmas in words.values() for lemma in lemmas})
    with options.out.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("part", "concept", "lemmas"))
        rows.writerow(("source", "WordNet 3.0", " ".join(LICENCE.split())))
        for part, lists in (("words", words), ("near", near)):
            rows.writerows((part, concept, "|".join(lemmas)) for concept, lemmas in lists.items())
    log.info("%d words, %d neighbours", sum(map(len, words.values())), sum(map(len, near.values())))


if __name__ == "__main__":
    main()
