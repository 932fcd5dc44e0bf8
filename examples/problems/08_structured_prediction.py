"""Structured prediction: tag a sequence with a conditional random field; the score is accuracy.

Tags follow each other by rules (a noun after a determiner, say); each word alone is ambiguous. The
CRF scores whole sequences, sum of emissions and transitions; Viterbi's algorithm finds the best.
"""

from problem import main

import chainrule as cr
from chainrule import nn, optim

BOUND = 0.85
TAGS, LENGTH = 4, 15  # and as many words


def sentences(n):
    """Tag t is followed by t + 1 nine times out of ten; a word fits two tags."""
    step = cr.where(cr.rand(n, LENGTH) < 0.9, 1, cr.randint(0, TAGS, (n, LENGTH)))
    tags = step.cumsum(1) % TAGS
    return (tags + cr.randint(0, 2, tags.shape)) % TAGS, tags


def loss(emission, transition, tags):
    """Minus the mean log-probability of the tags."""
    path = emission.gather(2, tags.unsqueeze(2)).sum((1, 2))
    path += transition[tags[:, :-1], tags[:, 1:]].sum(1)
    alpha, *rest = emission.unbind(1)
    for e in rest:
        alpha = (alpha.unsqueeze(2) + transition).logsumexp(1) + e
    return (alpha.logsumexp(1) - path).mean()


def viterbi(emission, transition):
    """The likeliest tags."""
    (best, *rest), back = emission.unbind(1), []
    for e in rest:
        best, place = (best.unsqueeze(2) + transition).max(1)
        best = best + e
        back.append(place)
    tags = [best.argmax(1, keepdim=True)]
    for place in reversed(back):
        tags.append(place.gather(1, tags[-1]))
    return cr.cat(tags[::-1], 1)


def score(small):
    cr.manual_seed(0)
    (words, tags), (new_words, new_tags) = sentences(400), sentences(200)
    emission, transition = nn.Embedding(TAGS, TAGS), nn.Parameter(cr.zeros(TAGS, TAGS))
    optimizer = optim.Adam([emission.weight, transition], lr=0.1)
    for _ in range(30 if small else 100):
        optimizer.zero_grad()
        loss(emission(words), transition, tags).backward()
        optimizer.step()
    guess = viterbi(emission(new_words), transition)
    return (guess == new_tags).to(cr.float32).mean().item()


if __name__ == "__main__":
    main(score, BOUND)
