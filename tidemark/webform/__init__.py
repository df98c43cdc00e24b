"""The form that starts a run in Locust's page: Tidemark's, in the place of Locust's own."""
