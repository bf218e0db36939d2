package bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;

/** Folds each fact into its task's record of the store. Asks for a commit at the last fact of a partition. */
final class Folding implements Processor<byte[], byte[], Void, Void> {
  /** What is told of all partitions together. */
  static final class Count {
    final AtomicLong folded = new AtomicLong();
    final AtomicLong unreadable = new AtomicLong();
    final AtomicLong firstAt = new AtomicLong();
  }

  static final String STORE = "tasks";

  private final Map<Integer, Long> ends;
  private final Count count;
  private ProcessorContext<Void, Void> context;
  private KeyValueStore<Bytes, byte[]> tasks;

  Folding(Map<Integer, Long> ends, Count count) {
    this.ends = ends;
    this.count = count;
  }

  @Override
  public void init(ProcessorContext<Void, Void> given) {
    context = given;
    tasks = given.getStateStore(STORE);
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    count.firstAt.compareAndSet(0, System.nanoTime());
    RecordMetadata place = context.recordMetadata().orElseThrow();
    Fact fact = Fact.read(record.key(), record.value());
    if (fact == null) {
      count.unreadable.incrementAndGet();
    } else {
      fold(fact, place.offset(), record.timestamp());
    }
    count.folded.incrementAndGet();
    if (place.offset() + 1 == ends.getOrDefault(place.partition(), -1L)) {
      context.commit();
    }
  }

  private void fold(Fact fact, long offset, long at) {
    try {
      Bytes key = Bytes.wrap(fact.taskId.getBytes(StandardCharsets.UTF_8));
      byte[] before = tasks.get(key);
      Task task = before == null ? new Task(fact.taskId) : TaskRecord.decode(fact.taskId, before);
      task.apply(fact, offset, at);
      tasks.put(key, TaskRecord.encode(task));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
