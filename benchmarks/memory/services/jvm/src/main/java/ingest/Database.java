package ingest;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;

/** An embedded H2 database through a connection pool; it keeps the last rows only. */
final class Database {
    private static final int ROWS = 5_000;
    private static final int CACHE_KIB = 8 * 1024;

    private Database() {}

    public static void main(String[] args) throws Exception {
        HikariDataSource pool = pool();
        Runtime.getRuntime().addShutdownHook(new Thread(pool::close));
        try (Connection connection = pool.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute(
                    "create table if not exists item (seq bigint generated always as identity"
                            + " primary key, id bigint, name varchar, amount double precision,"
                            + " tags varchar)");
        }
        new Http((batch, answer) -> store(pool, batch)).start();
    }

    private static HikariDataSource pool() {
        Path file = Path.of(Env.required("SCRATCH"), "items").toAbsolutePath();
        HikariConfig config = new HikariConfig();
        // The pool ends the database, in the shutdown hook.
        config.setJdbcUrl("jdbc:h2:file:" + file + ";CACHE_SIZE=" + CACHE_KIB
                + ";DB_CLOSE_ON_EXIT=FALSE");
        config.setMaximumPoolSize(4);
        config.setAutoCommit(false);
        return new HikariDataSource(config);
    }

    private static void store(HikariDataSource pool, List<Item> batch) throws SQLException {
        try (Connection connection = pool.getConnection();
                PreparedStatement insert = connection.prepareStatement(
                        "insert into item (id, name, amount, tags) values (?, ?, ?, ?)");
                PreparedStatement trim = connection.prepareStatement(
                        "delete from item where seq <= (select max(seq) from item) - ?")) {
            for (Item item : batch) {
                insert.setLong(1, item.id());
                insert.setString(2, item.name());
                insert.setDouble(3, item.value());
                insert.setString(4, String.join(",", item.tags()));
                insert.addBatch();
            }
            insert.executeBatch();
            connection.commit();
            // A transaction of its own: it takes rows that others may be taking.
            trim.setInt(1, ROWS);
            trim.executeUpdate();
            connection.commit();
        }
    }
}
