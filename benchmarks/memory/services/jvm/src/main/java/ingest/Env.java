package ingest;

/** What a service is told by its environment. */
final class Env {
    private Env() {}

    static String required(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException("set " + name + " in the environment");
        }
        return value;
    }

    static int number(String name, int otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : Integer.parseInt(value);
    }
}
