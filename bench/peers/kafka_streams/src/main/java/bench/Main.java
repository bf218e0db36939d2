package bench;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * One run of the peer. The first line of input has the settings; then come commands: {@code go} folds the topic until
 * every fact is committed, or restores the table; {@code dump} writes it into a file; {@code bye} ends. In the mode
 * {@code forget} nothing is run: what the application has in Kafka is deleted.
 */
public final class Main {
  private final Talk talk = new Talk();
  private final Map<String, String> settings;
  private final Folding.Count count = new Folding.Count();
  private final Restoring restoring = new Restoring();

  private Main() throws IOException {
    settings = talk.settings();
  }

  /** See the class. */
  public static void main(String[] arguments) throws Exception {
    new Main().run();
  }

  private void run() throws Exception {
    try (Diary diary = new Diary(settings.get("kafka"), settings.get("topic"), settings.get("application"))) {
      if (settings.get("mode").equals("forget")) {
        diary.forget();
      } else {
        run(diary);
      }
    }
    talk.say("bye", Map.of());
  }

  private void run(Diary diary) throws Exception {
    Map<Integer, Long> ends = diary.ends();
    KafkaStreams streams = new KafkaStreams(topology(ends), properties());
    streams.setGlobalStateRestoreListener(restoring);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    talk.say("ready", Map.of("facts", ends.values().stream().mapToLong(Long::longValue).sum()));
    boolean more = true;
    while (more) {
      more = obey(talk.next(), streams, diary, ends);
    }
    streams.close(Duration.ofSeconds(30));
    // Kafka Streams stays a member until its session runs out: whoever comes next would wait for that.
    diary.leaveGroup();
  }

  /** False: it was the last command. */
  private boolean obey(Map<String, String> command, KafkaStreams streams, Diary diary, Map<Integer, Long> ends)
      throws Exception {
    switch (command.get("do")) {
      case "go" -> talk.say("done", go(streams, diary, ends));
      case "dump" -> {
        dump(streams, Path.of(command.get("file")));
        talk.say("dumped", Map.of());
      }
      case "bye" -> {
        return false;
      }
      default -> throw new IllegalArgumentException("no such command: " + command);
    }
    return true;
  }

  private Map<String, Double> go(KafkaStreams streams, Diary diary, Map<Integer, Long> ends) throws Exception {
    boolean restore = settings.get("mode").equals("restore");
    long startedAt = System.nanoTime();
    streams.start();
    boolean ended = false;
    while (!ended) {
      if (streams.state() == KafkaStreams.State.ERROR || streams.state() == KafkaStreams.State.NOT_RUNNING) {
        throw new IllegalStateException("Kafka Streams has given up, see above");
      }
      Thread.sleep(10);
      ended = restore ? restored(streams, ends) : diary.committed(ends);
    }
    long endedAt = restore ? restoring.lastAt.get() : System.nanoTime();
    long firstAt = restore ? restoring.firstAt.get() : count.firstAt.get();
    Map<String, Double> figures = new HashMap<>();
    figures.put("seconds", (endedAt - firstAt) / 1e9);
    figures.put("seconds_from_start", (endedAt - startedAt) / 1e9);
    figures.put("records", (double) restoring.records.get());
    figures.put("folded", (double) count.folded.get());
    figures.put("unreadable", (double) count.unreadable.get());
    return figures;
  }

  private boolean restored(KafkaStreams streams, Map<Integer, Long> ends) {
    long wanted = ends.values().stream().filter(end -> end > 0).count();
    return streams.state() == KafkaStreams.State.RUNNING && restoring.partitions.get() >= wanted;
  }

  /** The records of the table, one a line. */
  private void dump(KafkaStreams streams, Path file) throws IOException {
    var asked = StoreQueryParameters.fromNameAndType(Folding.STORE, QueryableStoreTypes.<Bytes, byte[]>keyValueStore());
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file));
        KeyValueIterator<Bytes, byte[]> rows = streams.store(asked).all()) {
      while (rows.hasNext()) {
        KeyValue<Bytes, byte[]> row = rows.next();
        out.write(row.value);
        out.write('\n');
      }
    }
  }

  private Topology topology(Map<Integer, Long> ends) {
    var supplier = Stores.persistentKeyValueStore(Folding.STORE);
    var tasks = Stores.<Bytes, byte[]>keyValueStoreBuilder(supplier, Serdes.Bytes(), Serdes.ByteArray());
    Topology topology = new Topology();
    topology.addSource("facts", settings.get("topic"));
    topology.addProcessor("fold", () -> new Folding(ends, count), "facts");
    topology.addStateStore(cached(tasks), "fold");
    return topology;
  }

  private static StoreBuilder<KeyValueStore<Bytes, byte[]>> cached(
      StoreBuilder<KeyValueStore<Bytes, byte[]>> tasks) {
    return tasks.withCachingEnabled().withLoggingEnabled(Map.of());
  }

  private Properties properties() {
    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, settings.get("application"));
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, settings.get("kafka"));
    properties.put(StreamsConfig.STATE_DIR_CONFIG, settings.get("state"));
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.parseLong(settings.get("cache_bytes")));
    properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    return properties;
  }
}
