"""Many simulated days together: each key figure's mean, spread and interval, beside what was published."""
