"""Real workers, clients and a real server under load for as long as one likes, with faults, judged by the checker."""
