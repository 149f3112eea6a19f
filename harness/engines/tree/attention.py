"""Attention of a pack over the stored path and itself: rectangles and squares merged by their log-sum-exps.

On a CPU in plain attention each part is one call of torch's flash kernel, which returns the log-sum-exp that a merge
needs. Where that kernel is not to be had (other devices, windows, soft caps) one masked attention over the stored path
and the pack gives the same numbers.

Source of the merge: the online softmax, Milakov and Gimelshein 2018, https://arxiv.org/abs/1805.02867.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from harness.engines.tree.forward import Rule
from harness.engines.tree.pack import Pack
from harness.engines.tree.parts import Square, ends, parts_of

flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
"""The CPU kernel that returns an attention and its log-sum-exps."""

Pair = tuple[torch.Tensor, torch.Tensor]


class StoredPath:
    """Keys and values of the open path, layer by layer, in place by position.

    Attributes:
        capacity: Positions that it can hold.
        layers: Keys and values of each layer, (key heads, capacity, head size) each.
    """

    def __init__(self, capacity: int) -> None:
        """Hold nothing yet; a layer's memory is taken when it first comes."""
        self.capacity = capacity
        self.layers: list[Pair] = []

    def read(self, layer: int, first: int, last: int) -> Pair:
        """Keys and values of positions ``first:last``, as views."""
        keys, values = self.layers[layer]
        return keys[:, first:last], values[:, first:last]

    def write(self, first: int, added: list[Pair]) -> None:
        """Put new keys and values of all layers behind the first positions."""
        for layer, pair in enumerate(added):
            if layer == len(self.layers):
                shapes = [(part.shape[0], self.capacity, part.shape[2]) for part in pair]
                self.layers.append((pair[0].new_empty(shapes[0]), pair[1].new_empty(shapes[1])))
            for buffer, part in zip(self.layers[layer], pair, strict=True):
                buffer[:, first : first + part.shape[1]] = part


class PackAttention:
    """What the rows of one pack see; keeps what the next pack needs until ``commit``.

    Attributes:
        pack: The pack.
        path: The stored path, read only until ``commit``.
    """

    def __init__(self, pack: Pack, path: StoredPath, device: torch.device) -> None:
        """Plan the parts of a pack's attention."""
        self.pack, self.path = pack, path
        self._parts = parts_of(pack.runs)
        self._add = torch.from_numpy(pack.add).to(device)
        self._added: list[Pair] = []
        self._square_masks: dict[int, torch.Tensor] = {}
        self._full_masks: dict[int | None, torch.Tensor] = {}

    def attend(self, layer: int, queries: torch.Tensor, pair: Pair, rule: Rule) -> torch.Tensor:
        """See ``RowAttention.attend``."""
        if len(self._add):
            self._added.append((pair[0].index_select(1, self._add), pair[1].index_select(1, self._add)))
        heads = pair[0].shape[0]
        queries = queries.reshape(heads, -1, *queries.shape[1:])
        window = rule.window if rule.window and rule.window <= int(self.pack.positions.max()) else None
        rule = Rule(rule.scale, window, rule.softcap)
        if has_kernel(queries, pair, rule):
            return self._by_parts(layer, queries, pair, rule.scale)
        return self._masked(layer, queries, pair, rule)

    def commit(self) -> None:
        """Store what the next pack needs; call it once the forward has succeeded."""
        if self._added:
            self.path.write(self.pack.kept, self._added)
            self._added = []

    def _by_parts(self, layer: int, queries: torch.Tensor, pair: Pair, scale: float) -> torch.Tensor:
        heads, groups, rows, size = queries.shape
        result = queries.new_empty(rows, heads, groups, size)
        out = result.permute(1, 2, 0, 3)
        mass = torch.empty(queries.shape[:3], dtype=torch.float32)
        for square in self._parts.squares:
            start, stop = square.start, square.stop
            keys, values = (grouped(part, queries) for part in self._seen(layer, square, pair))
            mask = self._square_mask(square, queries)
            part = flash(queries[:, :, start:stop], keys, values, 0.0, mask is None, attn_mask=mask, scale=scale)
            out[:, :, start:stop], mass[:, :, start:stop] = part
        for start, stop, first, last, stored in self._parts.rectangles:
            seen = self.path.read(layer, first, last) if stored else (part[:, first:last] for part in pair)
            keys, values = (grouped(part, queries) for part in seen)
            more, weight = flash(queries[:, :, start:stop], keys, values, 0.0, False, scale=scale)
            _merge(out[:, :, start:stop], mass[:, :, start:stop], more, weight)
        return result.flatten(1, 2)

    def _seen(self, layer: int, square: Square, pair: Pair) -> Iterator[torch.Tensor]:
        """Keys and values of a square and of what stands before it."""
        ranges = [*square.before, (square.start, square.stop)]
        first, last = square.stored
        stored = self.path.read(layer, first, last) if first < last else (None, None)
        for old, part in zip(stored, pair, strict=True):
            pieces = [part[:, start:stop] for start, stop in ranges]
            pieces = pieces if old is None else [old, *pieces]
            yield pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)

    def _square_mask(self, square: Square, like: torch.Tensor) -> torch.Tensor | None:
        """What the rows of a square see of its keys, (rows, keys); None where that is causal."""
        if square.start not in self._square_masks:
            before = square.stored[1] - square.stored[0] + sum(stop - start for start, stop in square.before)
            rows = square.stop - square.start
            if square.visible is None and not before:
                return None
            own = np.tri(rows, dtype=bool) if square.visible is None else square.visible
            seen = np.concatenate([np.ones((rows, before), dtype=bool), own], 1)
            self._square_masks[square.start] = additive(torch.from_numpy(seen), like)
        return self._square_masks[square.start]

    def _masked(self, layer: int, queries: torch.Tensor, pair: Pair, rule: Rule) -> torch.Tensor:
        if self.pack.stored:
            before = self.path.read(layer, 0, self.pack.stored)
            pair = torch.cat([before[0], pair[0]], 1), torch.cat([before[1], pair[1]], 1)
        keys, values = (grouped(part, queries) for part in pair)
        mask = self._full_mask(rule.window, queries)
        if rule.softcap:
            scores = (queries @ keys.transpose(-1, -2)) * rule.scale
            scores = torch.tanh(scores / rule.softcap) * rule.softcap + mask
            out = torch.softmax(scores, -1, dtype=torch.float32).to(values.dtype) @ values
        else:
            out = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=rule.scale)
        return out.flatten(0, 1).transpose(0, 1)

    def _full_mask(self, window: int | None, like: torch.Tensor) -> torch.Tensor:
        """What each row sees of the stored path and the pack, (rows, stored + rows)."""
        if window not in self._full_masks:
            pack, device = self.pack, like.device
            branch = np.minimum.accumulate([run.depth for run in pack.runs])
            counts = [run.stop - run.start for run in pack.runs]
            seen_path = torch.from_numpy(np.repeat(branch, counts)).to(device)
            positions, end = torch.from_numpy(pack.positions).to(device), torch.from_numpy(ends(pack.runs)).to(device)
            row, path = torch.arange(pack.rows, device=device), torch.arange(pack.stored, device=device)
            own = (row <= row[:, None]) & (row[:, None] < end)
            seen = torch.cat([path < seen_path[:, None], own], 1)
            if window:
                seen &= positions[:, None] - torch.cat([path, positions]) < window
            self._full_masks[window] = additive(seen, like)
        return self._full_masks[window]


def has_kernel(queries: torch.Tensor, pair: Pair, rule: Rule) -> bool:
    """Whether the CPU's kernel with a log-sum-exp computes this attention."""
    plain = rule.softcap is None and rule.window is None and pair[0].shape[-1] == pair[1].shape[-1]
    return plain and queries.device.type == "cpu"


def grouped(part: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
    """Keys or values (key heads, n, size) seen by each query head of their group, without a copy."""
    return part.unsqueeze(1).expand(-1, queries.shape[1], -1, -1)


def additive(seen: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A mask to be added to scores: 0 where something is seen, else minus infinity, in the type of another tensor."""
    return like.new_zeros(seen.shape).masked_fill_(~seen, float("-inf"))


def _merge(out: torch.Tensor, mass: torch.Tensor, more: torch.Tensor, weight: torch.Tensor) -> None:
    """Join two attentions of the same rows over different keys, in place, by their log-sum-exps."""
    out.lerp_(more, torch.sigmoid(weight - mass).unsqueeze(-1).to(out.dtype))
    mass.copy_(torch.logaddexp(mass, weight))
