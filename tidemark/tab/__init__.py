"""A run shown in Locust's own page: a tab beside Locust's, and the list of the runs so far.

Nothing is judged or drawn in the process of Locust, which has requests to send: it passes on what
the companion of the run says.
"""
