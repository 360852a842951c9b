"""Every number that a verdict rests on, each with its source.

"Tuned" means: set on the curves in `tests/curves/tuning`, and proven on those in `tests/curves/held_out`.
"""

from __future__ import annotations

# --- when there is enough to judge

FIRST = 3
"""Log events whose mean is "the start" of the train loss: the fewest that are not one batch's luck. Tuned."""

ENOUGH = 12
"""Log events before anything is said of the course of the train loss. Tuned: the fastest of the recorded runs have
done nine tenths of their fall by then."""

HOLD = 3
"""Judgements in a row that must agree before a verdict is shown. Tuned."""

RELEASE = 8
"""Judgements in a row without it before it is taken back: more, so that words do not flap. Tuned."""

SURE = 3.0
"""Standard errors that a change must exceed to be no accident: one chance in 700, two-sided normal."""

SURE_OF_MANY = 4.5
"""The same where the lowest and the highest of all windows are compared: noise alone sets two of sixteen, which is how
many there are that do not overlap (`MEAN_OVER`), that far apart in one run of a thousand (studentized range)."""

# --- not finite

BROKEN_NORMS = 3
"""Gradient norms in a row that are not finite. Float16's loss scaling skips single steps by design (torch's
GradScaler halves its scale after each), so one means nothing."""

# --- diverging

RISEN = 0.15
"""Rise of the mean train loss over its best, as a share of it. Tuned. Learning rate finders end their trials later, at
2 to 4 times the best (fastai's `LRFinder`: 4), for they raise the rate on purpose."""

BLOWN_UP = 0.25
"""Rise of the mean train loss over its start, as a share of it, after which a run has lost what the base could. Tuned;
that a learning rate which is too high ruins models of any size so: Wortsman et al., arXiv 2309.14322."""

EVAL_BLOWN_UP = 0.1
"""The same of the eval loss, whose samples are always the same."""

BACK = 0.9
"""A run that has blown up is well again once its loss is below this share of its start. Tuned."""

MEAN_OVER = (8, 1 / 16)
"""Log events of a mean of the train loss: so many, or this share of the run so far if that is more. Tuned."""

EVAL_RISEN = 0.05
"""Rise of the eval loss over its best, as a share of it, with a train loss that does not fall. Prechelt's GL criterion
with alpha 5, the slowest that he compares: where the train loss does not fall either, all of it may be an accident."""

# --- overfitting and memorizing

EVAL_RISE = 0.02
"""Rise of the eval loss over its best, as a share of it. Prechelt's GL criterion (Early Stopping, But When?, 1998)
with alpha 2, between the 1 and 5 that he compares."""

EVAL_RISES = 2
"""The last evaluations that must all be worse than the best, by half that rise at least. Prechelt's UP criterion with
s = 2."""

TRAIN_FALL = 0.03
"""Fall of the train loss since the best evaluation, as a share of it, that makes it overfitting. Tuned."""

BY_HEART = 0.1
"""Train loss below which samples are known by heart, in nats a token: the model gives each next token 0.90 on average.
Unsloth's LoRA guide warns below 0.2; half of it, because structured answers reach 0.2 honestly."""

UNLIKE_UNSEEN = 3.0
"""Times the train loss that the loss on unseen samples, held out or of the first epoch, must be: else the task is that
easy. Tuned."""

SEEN_AGAIN = 1.5
"""Epochs before which nothing can be known by heart: most samples were seen but once."""

# --- not learning

TRIVIAL = 0.02
"""Train loss, in nats a token, that samples which were never seen before cannot have unless what carries loss is the
same everywhere: 0.98 for each next token. The case of masked labels (huggingface/trl#3927, #6668). Tuned."""

TRIVIAL_EVENTS = 5
"""Log events in a row at or below it."""

TRIVIAL_WITHIN = 60
"""Log events within which that must be: a task that is merely easy takes longer. Tuned."""

UNMOVED = 0.004
"""Change of the eval loss since before the first step, as a share of it, that counts as none. Tuned: a rate a thousand
times too low moves it by less than 0.001."""

UNMOVED_TRAIN = 0.015
"""The same of the train loss, whose batches differ. Tuned."""

UNMOVED_SCATTERED = 0.05
"""The same of a metric that is no loss per token, with one standard error included, where no move can be seen in it.
Set on made-up rewards, for no run has been recorded yet."""

UNMOVED_AFTER = (20, 0.15)
"""Log events, and share of the run, after the warmup before it is said. Tuned."""

# --- weights that hardly move

HARDLY_MOVED = 0.3
"""Share of the trained weights, as they are held, below which they hardly move. Tuned: bfloat16 weights at a learning
rate of 1e-5 come to 0.04 and stay there, at 1e-4 to 0.34; float32 weights are at 1.0 after ten steps at either."""

MOVED_AFTER = 8
"""Steps after the warmup before it is said: the first updates are the smallest."""

# --- gradient spikes

SPIKE = 4.0
"""Times the usual gradient norm. Tuned. ZClip (arXiv 2504.02507) clips from 2.5 standard deviations of recent norms on,
SPAM (arXiv 2501.06842) from 50 times the mean of a single weight's gradient."""

SPIKE_DEVIATIONS = 4.0
"""Standard deviations of the norm's logarithm that a spike must exceed as well, where norms vary much. Tuned."""

SPIKES = 3
"""Spikes within the last `SPIKES_OVER` log events: one is an odd sample, three are a habit."""

SPIKES_OVER = (60, 0.3)
"""Log events, or share of the run so far if that is more, in which they are counted. Tuned."""

NEW_NORM = 5
"""Spikes in a row that are none any more, but another usual norm."""

SPIKES_AFTER = 10
"""Log events before the usual norm is known."""

# --- oscillating

SWING = 0.15
"""Rise of the mean train loss, as a share of it, from which it came half the way back. Tuned. A learning rate above the
largest that converges makes the criterion rise: Bengio, arXiv 1206.5533, section 3.1.1; near it, it swings."""

EVAL_SWING = 0.05
"""The same of the eval loss: its samples are always the same, so a swing is no accident of a batch. Tuned."""

# --- plateau

PLATEAU_OVER = 0.4
"""Share of the run so far without a fall."""

PLATEAU_PART = 0.2
"""Share of the whole run, where its length is known, that this must be at least: a pause at the start is none."""

PLATEAU_EVENTS = 30
"""Log events that this must be at least."""

ONE_EPOCH = 1.1
"""Epochs up to which a run has one: a last batch that is not full, or steps that were rounded up, make no second."""

STAIR = 1.5
"""Epochs of which one in several begins well within, however they are laid: where samples come again, losses fall."""

FLAT = 0.02
"""Change of the train loss over that stretch, as a share of it, that counts as none, two standard errors included.
Tuned. torch's ReduceLROnPlateau takes 1e-4 over ten epochs, for losses without noise."""

FLAT_EVAL = 0.02
"""Change of the eval loss over that stretch, by a straight line through it, that counts as none. Tuned: good runs have
more than 0.06."""

EVALS_FOR_A_LINE = 3
"""Evaluations in the stretch that it takes to say so."""

FLAT_BESIDE_EVAL = 0.1
"""As `FLAT`, where the eval loss, whose samples are always the same, says it more exactly. Tuned."""

FALLEN = 0.03
"""Fall from the start that makes it a plateau; without one, it is a run that does not learn. Tuned."""

RATE_LEFT = 0.3
"""Share of its peak that the learning rate must still have: at the end of a schedule a flat loss is as it should be."""

# --- devices

WATCHED = 120
"""GPU samples, one a second, that are looked back on."""

STARVED = 50
"""Median utilization in percent below which a GPU waits more than it works: NVML's utilization is the share of time in
which a kernel ran."""

FED = 60
"""Median utilization in percent from which it is well again."""

HOT = 0.5
"""Share of the samples with clocks held down by heat (NVML's software and hardware thermal slowdown)."""

COOLED = 0.3
"""Share below which it is well again."""

BUSY_CPU = 90
"""Percent of one processor from which the worker's CPU is what the GPU waits for."""
