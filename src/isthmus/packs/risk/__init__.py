"""Risk: what happens is judged before it counts, by what a person, card or address did at all front ends."""
