package bench;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** The topic of facts and what the application has in Kafka, as the administrator sees them. */
final class Diary implements AutoCloseable {
  private final Admin admin;
  private final String topic;
  private final String application;

  Diary(String servers, String topic, String application) {
    this.admin = Admin.create(Map.of("bootstrap.servers", servers));
    this.topic = topic;
    this.application = application;
  }

  /** Where each partition ends now. */
  Map<Integer, Long> ends() throws ExecutionException, InterruptedException {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    for (TopicPartitionInfo each : described.partitions()) {
      asked.put(new TopicPartition(topic, each.partition()), OffsetSpec.latest());
    }
    Map<Integer, Long> found = new HashMap<>();
    admin.listOffsets(asked).all().get().forEach((place, end) -> found.put(place.partition(), end.offset()));
    return found;
  }

  /** Whether the application has committed every partition up to its end. */
  boolean committed(Map<Integer, Long> ends) throws InterruptedException, ExecutionException {
    Map<TopicPartition, OffsetAndMetadata> committed;
    try {
      committed = admin.listConsumerGroupOffsets(application).partitionsToOffsetAndMetadata().get();
    } catch (ExecutionException error) {
      if (error.getCause() instanceof GroupIdNotFoundException) {
        return false;
      }
      throw error;
    }
    for (Map.Entry<Integer, Long> end : ends.entrySet()) {
      OffsetAndMetadata reached = committed.get(new TopicPartition(topic, end.getKey()));
      if (end.getValue() > 0 && (reached == null || reached.offset() < end.getValue())) {
        return false;
      }
    }
    return true;
  }

  /** Take every member out of the group. The client cannot be asked to remove nobody. */
  void leaveGroup() throws InterruptedException, ExecutionException {
    if (admin.describeConsumerGroups(List.of(application)).all().get().get(application).members().isEmpty()) {
      return;
    }
    admin.removeMembersFromConsumerGroup(application, new RemoveMembersFromConsumerGroupOptions()).all().get();
  }

  /** Delete the changelog and the group: they were made for this run. */
  void forget() throws InterruptedException, ExecutionException {
    String changelog = application + "-" + Folding.STORE + "-changelog";
    try {
      admin.deleteTopics(List.of(changelog)).all().get();
    } catch (ExecutionException error) {
      if (!(error.getCause() instanceof UnknownTopicOrPartitionException)) {
        throw error;
      }
    }
    try {
      leaveGroup();
      admin.deleteConsumerGroups(List.of(application)).all().get();
    } catch (ExecutionException error) {
      if (!(error.getCause() instanceof GroupIdNotFoundException)) {
        throw error;
      }
    }
  }

  @Override
  public void close() {
    admin.close();
  }
}
