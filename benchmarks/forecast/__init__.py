"""What the forecast benchmarks share: data, figures, peers, hidden stock-outs."""
