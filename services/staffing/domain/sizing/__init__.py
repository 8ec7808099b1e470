"""Required staff: Erlang B, C and A in arrays, the smallest number of people, and the simulation that checks it."""
