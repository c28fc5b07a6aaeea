"""A reader of stories: sentences go into the short-term memory one slot each, questions are answered by reading it.

Texts are sums of vectors of their words and of their words at their places (Sukhbaatar et al. 2015 weigh each place).
A controller runs over the sentences' vectors: a GRU, then attention back over what came before it.
What it says of a sentence is written into a slot of its own, linked to the slot before. At a question the slots can be
seen in its light, by attention among them and the question. Then the controller hops: it reads by content and along the
links, takes in what it read, and after the last hop names the answer.

Questions within a story see what stands before them alone, so that one pass over a story answers all of them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from kgqa.memory.interface import ReadLayer
from kgqa.memory.layers import EncoderLayer
from kgqa.memory.short_term import MemoryState, filled_state, read
from kgqa.stories.batches import StoryBatch


class TextBag(nn.Module):
    """Texts `[U, L]` of word numbers (-1 behind the end) as vectors `[U, D]`."""

    def __init__(self, num_words: int, max_words: int, width: int, *, num_layers: int, dropout: float) -> None:
        """num_layers: of a GRU that reads the words in both directions, beside their sums; 0: none."""
        super().__init__()
        self.num_words = num_words
        self.spell = nn.Embedding(num_words, width) if num_layers else None
        self.words = nn.GRU(width, width // 2, num_layers, batch_first=True, bidirectional=True) if num_layers else None
        self.word = nn.EmbeddingBag(num_words, width, mode="sum")
        self.placed = nn.EmbeddingBag(num_words * max_words, width, mode="sum")
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
        )
        for table in (self.word, self.placed):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, texts: Tensor) -> Tensor:
        there = texts >= 0
        places = (texts + self.num_words * torch.arange(texts.shape[1], device=texts.device))[there]
        ends = there.sum(1).cumsum(0)
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        summed = self.word(texts[there], starts) + self.placed(places, starts)
        if self.words is not None and self.spell is not None and there.any():
            lengths = there.sum(1).clamp(min=1).cpu()
            packed = pack_padded_sequence(self.spell(texts.clamp(min=0)), lengths, True, enforce_sorted=False)
            last = self.words(packed)[1][-2:]
            summed = summed + torch.cat([last[0], last[1]], dim=-1)
        mixed: Tensor = summed + self.mix(summed)
        return mixed


class StoryReader(nn.Module):
    """Answers `[Q, num_answers]` (logits) to the questions of a batch."""

    def __init__(
        self,
        num_words: int,
        num_answers: int,
        *,
        width: int,
        max_words: int,
        num_word_layers: int = 0,
        num_layers: int,
        num_joint_layers: int = 0,
        num_heads: int,
        num_reads: int,
        num_hops: int,
        max_age: int,
        use_links: bool,
        use_memory: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.num_reads, self.num_hops, self.num_heads = num_reads, num_hops, num_heads
        self.use_links, self.use_memory = use_links, use_memory
        self.text = TextBag(num_words, max_words, width, num_layers=num_word_layers, dropout=dropout)
        self.start = nn.Parameter(torch.randn(width) * 0.3)
        self.controller = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            EncoderLayer(width, num_heads=num_heads, dropout=dropout) for _ in range(num_layers)
        )
        self.joint = nn.ModuleList(
            EncoderLayer(width, num_heads=num_heads, dropout=dropout) for _ in range(num_joint_layers)
        )
        self.write_vector = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.age = nn.Embedding(max_age, width)
        nn.init.normal_(self.age.weight, std=0.1)
        self.ask = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width))
        self.look_for = ReadLayer(2 * width, width=width, num_reads=num_reads, masks=False)
        self.take_in = nn.GRUCell(num_reads * width, width)
        self.answer = nn.Sequential(
            nn.LayerNorm(3 * width), nn.Linear(3 * width, width), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(width, num_answers),
        )  # fmt: skip

    def forward(self, batch: StoryBatch) -> Tensor:
        texts = self.text(batch.texts)
        said = texts[batch.sentences]
        said = torch.cat([self.start.expand(len(said), 1, -1), said], dim=1)
        states = said + self.controller(said)[0]
        if self.use_memory:
            states = self._look_back(states)
        question, here = texts[batch.asked], states[batch.story, batch.after]
        carried = self.ask(torch.cat([question, here], dim=-1))
        if self.use_memory:
            carried = self._hops(self.write_vector(states), batch, question, carried)
        logits: Tensor = self.answer(torch.cat([carried, question, here], dim=-1))
        return logits

    def _look_back(self, states: Tensor) -> Tensor:
        """Attention of each sentence over itself and those before it, the nearer the more (Press et al. 2022)."""
        place = torch.arange(states.shape[1], device=states.device)
        age = place.unsqueeze(-1) - place
        slopes = 2.0 ** -torch.arange(self.num_heads, device=states.device)
        bias = (-slopes.view(-1, 1, 1) * age).masked_fill(age < 0, -torch.inf).unsqueeze(0)
        for layer in self.layers:
            states = layer(states, bias)
        return states

    def _hops(self, written: Tensor, batch: StoryBatch, question: Tensor, carried: Tensor) -> Tensor:
        """What the controller knows after its hops, `[Q, W]`."""
        age = batch.after.unsqueeze(-1) - torch.arange(written.shape[1], device=written.device)
        present = age >= 0
        age = age.clamp(0, self.age.num_embeddings - 1)
        slots = written[batch.story] + self.age(age)
        if self.joint:
            slots, carried = self._in_its_light(slots, present, question, carried)
        memory: MemoryState = filled_state(slots, present, num_reads=self.num_reads, links=self.use_links)
        for _ in range(self.num_hops):
            reads, memory = read(memory, self.look_for(torch.cat([carried, question], dim=-1)), present=present)
            carried = self.take_in(reads.flatten(1), carried)
        return carried

    def _in_its_light(self, slots: Tensor, present: Tensor, question: Tensor, carried: Tensor) -> tuple[Tensor, Tensor]:
        """Each question's slots `[Q, T, W]` beside the question `[Q, W]`, after attention among all of them."""
        states = torch.cat([(question + carried).unsqueeze(1), slots], dim=1)
        mask = F.pad(present, (1, 0), value=True)
        for layer in self.joint:
            states = layer(states, mask)
        return states[:, 1:], states[:, 0]
