"""A transformer writes letter by letter, in the manner of a small text it has read.

It sees the last letters, never the next ones (that is the causal mask), and says how probable each
letter is to follow. Writing is drawing from that, again and again.
"""

import sys

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F

TEXT = """the cat sat on the mat and saw the rat. the rat ran to the hat. the cat ran to the rat.
the hen ran to the pen. the dog saw the hen and the hen saw the dog. the dog sat on the mat.
the cat and the dog ran to the pen. the hen sat on the hat and the rat sat in the pen.
""".replace("\n", " ")
LETTERS = sorted(set(TEXT))
CONTEXT = 32


class Writer(nn.Module):
    """Letters and places as vectors, layers of causal attention, logits of the next letter."""

    def __init__(self, width=48, heads=4, layers=2):
        super().__init__()
        self.letter = nn.Embedding(len(LETTERS), width)
        self.place = nn.Embedding(CONTEXT, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, len(LETTERS))

    def forward(self, letters):
        length = letters.shape[1]
        x = self.letter(letters) + self.place(cr.arange(length))
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        return self.output(self.norm(self.layers(x, mask=mask, is_causal=True)))


def write(model, start, length, temperature=0.5):
    """Continue a text by so many letters."""
    letters = [LETTERS.index(letter) for letter in start]
    model.eval()
    with cr.no_grad():
        for _ in range(length):
            logits = model(cr.tensor([letters[-CONTEXT:]]))[0, -1]
            letters.append(int(cr.multinomial((logits / temperature).softmax(0), 1)))
    return "".join(LETTERS[i] for i in letters)


def run(small=False):
    """Return which share of the words it writes are words."""
    cr.manual_seed(0)
    text = cr.tensor([LETTERS.index(letter) for letter in TEXT])
    # Every window of the text, and the same one letter on.
    windows = text.unfold(0, CONTEXT + 1, 1)
    model = Writer()
    optimizer = optim.AdamW(model.parameters(), lr=6e-3)

    def loss(logits, following):
        return F.cross_entropy(logits.flatten(0, 1), following.flatten())

    history = cr.train.fit(
        model,
        (windows[:, :-1], windows[:, 1:]),
        loss,
        optimizer,
        epochs=10 if small else 30,
        batch_size=8,
        progress=False,
    )
    written = write(model, "the cat ", 200)
    words = written.replace(".", "").split()[:-1]  # the last one may be cut
    share = sum(word in TEXT.replace(".", "").split() for word in words) / len(words)
    print(f"loss from {history['loss'][0]:.2f} to {history['loss'][-1]:.2f}")
    print(written)
    print(f"{share:.0%} of the words are words")
    return share


if __name__ == "__main__":
    run(small="--small" in sys.argv)
