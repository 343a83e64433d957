"""The training loop: AdamW on a one-cycle rate, and a running average of the weights as the result."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax


def fit(params, loss, batches, steps, rate=3e-3, decay=2e-2, average=0.998, say=print):
    """Minimises loss(params, batch) over `steps` batches from the iterator; returns averaged params as NumPy."""
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, max(1, steps // 20), steps, rate * 0.01)
    tx = optax.chain(optax.clip_by_global_norm(2.0), optax.adamw(schedule, weight_decay=decay))

    @jax.jit
    def step(params, state, mean, batch, i):
        value, grads = jax.value_and_grad(loss)(params, batch)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        keep = jnp.minimum(average, (1.0 + i) / (10.0 + i))
        mean = jax.tree.map(lambda m, p: keep * m + (1 - keep) * p, mean, params)
        return params, state, mean, value

    params = jax.tree.map(jnp.asarray, params)
    state, mean, began, seen = tx.init(params), params, time.monotonic(), []
    for i in range(steps):
        params, state, mean, value = step(params, state, mean, next(batches), i)
        seen.append(value)
        if (i + 1) % max(1, steps // 10) == 0:
            say(f"  step {i + 1}/{steps} loss {np.mean([float(v) for v in seen]):.4f} after {time.monotonic() - began:.0f} s")
            seen = []
    return jax.tree.map(np.asarray, mean)
