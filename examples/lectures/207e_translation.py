"""Fifth application: English in, Chinese out. Sequence to sequence, a toy dictionary.

An encoder reads the sentence; a decoder writes word by word and, by attention, looks at the places
of the sentence that its state asks for. Chinese puts the time behind the subject and counts with a
measure word, so words change their places and numbers.
"""

import itertools
from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.nn import functional as F

SUBJECTS = {"I": "我", "you": "你", "we": "我们", "they": "他们"}
VERBS = {"buy": "买", "read": "读", "want": "要", "see": "看见"}
NUMBERS = {"one": "一", "two": "两", "three": "三", "many": "很多"}
NOUNS = {"books": "本 书", "cats": "只 猫", "cups": "个 杯子", "pictures": "张 画"}
TIMES = {"today": "今天", "tomorrow": "明天", "": ""}
START, END = "<s>", "</s>"


def sentences() -> list[tuple[list[str], list[str]]]:
    """All of the toy language: "I buy two books today", "我 今天 买 两 本 书"."""
    pairs = []
    for s, v, n, o, t in itertools.product(SUBJECTS, VERBS, NUMBERS, NOUNS, TIMES):
        chinese = f"{SUBJECTS[s]} {TIMES[t]} {VERBS[v]} {NUMBERS[n]} {NOUNS[o]}"
        pairs.append((f"{s} {v} {n} {o} {t}".split(), [START, *chinese.split(), END]))
    return pairs


def numbered(sides: list[list[str]]) -> tuple[list[str], Tensor]:
    """The words there are, and the sentences as their numbers, filled up with 0."""
    words = ["", *sorted({word for side in sides for word in side})]
    longest = max(map(len, sides))
    rows = [[words.index(w) for w in side] + [0] * (longest - len(side)) for side in sides]
    return words, cr.tensor(rows)


class Translator(nn.Module):
    """Encoder, attention, decoder."""

    def __init__(self, english: int, chinese: int, size: int = 32) -> None:
        super().__init__()
        self.read = nn.Embedding(english, size, padding_idx=0)
        self.encoder = nn.GRU(size, size, batch_first=True, bidirectional=True)
        self.said = nn.Embedding(chinese, size, padding_idx=0)
        self.decoder = nn.GRU(size, 2 * size, batch_first=True)
        self.word = nn.Linear(4 * size, chinese)

    def forward(self, english: Tensor, chinese: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the words behind those of `chinese`, and where it looked."""
        seen, state = self.encoder(self.read(english))
        start = cr.cat([state[0], state[1]], 1).unsqueeze(0)
        h, _ = self.decoder(self.said(chinese), start)
        scores = h @ seen.transpose(1, 2)
        scores = scores.masked_fill((english == 0).unsqueeze(1), float("-inf"))
        attention = F.softmax(scores, 2)
        return self.word(cr.cat([h, attention @ seen], 2)), attention


def translate(model: Translator, english: Tensor, start: int, longest: int) -> Tensor:
    """Write, word by word, the likeliest next one."""
    chinese = cr.full((len(english), 1), start, dtype=cr.int64)
    with cr.no_grad():
        for _ in range(longest - 1):
            logits, _ = model(english, chinese)
            chinese = cr.cat([chinese, logits[:, -1].argmax(1, keepdim=True)], 1)
    return chinese


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.7, English to Chinese."""
    cr.manual_seed(0)
    pairs = sentences()
    words, english = numbered([pair[0] for pair in pairs])
    zi, chinese = numbered([pair[1] for pair in pairs])
    order = cr.randperm(len(pairs))
    training, test = order[:400], order[400:]
    model = Translator(len(words), len(zi))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(12 if small else 40):
        for rows in training[cr.randperm(len(training))].split(40):
            logits, _ = model(english[rows], chinese[rows, :-1])
            target = chinese[rows, 1:]
            loss = F.cross_entropy(logits.transpose(1, 2), target, ignore_index=0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    written = translate(model, english[test], zi.index(START), chinese.shape[1])
    # What is written behind the end does not count.
    ended = (written == zi.index(END)).cumsum(1) > 0
    behind = cr.cat([cr.zeros(len(test), 1, dtype=cr.bool), ended[:, :-1]], 1)
    right = (written.masked_fill(behind, 0) == chinese[test]).all(1).to(cr.float32).mean().item()
    yield Finding(
        "2.7",
        f"English to Chinese: of {len(test)} new sentences over 95% are right",
        True,
        right > 0.95,
    )
    example = next(
        k for k, (e, _) in enumerate(pairs) if " ".join(e) == "we read three books tomorrow"
    )
    out = translate(model, english[example : example + 1], zi.index(START), chinese.shape[1])
    said = " ".join(w for w in (zi[k] for k in out[0].tolist()) if w not in ("", START, END))
    yield Finding("2.7", "we read three books tomorrow", "我们 明天 读 三 本 书", said)


if __name__ == "__main__":
    main(findings)
