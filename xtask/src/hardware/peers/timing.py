"""Times a piece of work as the program's own benchmarks do, and prints a line of JSON."""
import json
import resource
import statistics
import time

import torch


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def report(fields, once, device, repeats, warm_up=2):
    """The first time, then `warm_up` times more that are not counted, then `repeats` times. A failure is a line too."""
    line = dict(fields, program="pytorch", version=torch.__version__, threads=torch.get_num_threads())
    try:
        seconds = []
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        for _ in range(1 + warm_up + repeats):
            synchronize(device)
            start = time.perf_counter()
            once()
            synchronize(device)
            seconds.append(time.perf_counter() - start)
        counted = seconds[1 + warm_up:]
        line.update(first_s=seconds[0], median_s=statistics.median(counted), min_s=min(counted), max_s=max(counted))
        peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        line.update(peak_mb=peak)
    except Exception as error:  # out of memory, or a compiler that is missing
        line.update(error=" ".join(f"{type(error).__name__}: {error}".split())[:300])
    print(json.dumps(line), flush=True)
