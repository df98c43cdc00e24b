package ingest;

import java.util.List;

/** One element of a batch, as it is posted. */
record Item(long id, String name, double value, List<String> tags) {}
