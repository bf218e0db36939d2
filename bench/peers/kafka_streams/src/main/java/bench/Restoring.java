package bench;

import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** When the first partition of the store began to be restored, when the last one was, and how many records it took. */
final class Restoring implements StateRestoreListener {
  final AtomicLong firstAt = new AtomicLong();
  final AtomicLong lastAt = new AtomicLong();
  final AtomicLong records = new AtomicLong();
  final AtomicLong partitions = new AtomicLong();

  @Override
  public void onRestoreStart(TopicPartition place, String store, long start, long end) {
    firstAt.compareAndSet(0, System.nanoTime());
  }

  @Override
  public void onBatchRestored(TopicPartition place, String store, long last, long restored) {
    records.addAndGet(restored);
  }

  @Override
  public void onRestoreEnd(TopicPartition place, String store, long total) {
    lastAt.accumulateAndGet(System.nanoTime(), Math::max);
    partitions.incrementAndGet();
  }
}
