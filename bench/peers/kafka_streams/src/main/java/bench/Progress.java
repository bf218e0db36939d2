package bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How far a task has come: the state machine of streamapp/domain/progress.py, rule by rule. */
final class Progress {
  /** States of a task. */
  enum State {
    UNKNOWN,
    REJECTED,
    ACCEPTED,
    DISPATCHED,
    RUNNING,
    FAILED,
    RETRY_SCHEDULED,
    COMPLETED,
    FAILED_PERMANENTLY
  }

  static final int MAX_REQUEUES_REMEMBERED = 100;
  static final int MAX_ATTEMPTS_REMEMBERED = 100;
  static final int LAST_ATTEMPT = 1_000_000;

  State state = State.UNKNOWN;
  int attempt;
  String acceptedId;
  long failures;
  Map<Integer, Token> tokens = new LinkedHashMap<>();
  int firstAttempt = 1;
  int toldAfterEnd;
  long requeues;
  List<String> requeued = new ArrayList<>();

  boolean terminal() {
    return state == State.COMPLETED || state == State.FAILED_PERMANENTLY;
  }

  private boolean waiting() {
    return switch (state) {
      case UNKNOWN, REJECTED, ACCEPTED, RETRY_SCHEDULED -> true;
      default -> false;
    };
  }

  /** Move by one fact. Returns what is anomalous about it, or null. */
  String advance(Fact fact) {
    if (terminal() && fact.attempt != null && fact.attempt > attempt) {
      toldAfterEnd = Math.max(toldAfterEnd, fact.attempt);
    }
    String odd =
        switch (fact.type) {
          case TaskAccepted -> accepted(fact);
          case TaskRejected -> rejected();
          case TaskDispatched -> dispatched(fact.attempt);
          case TaskExecutionStarted -> started(fact);
          case TaskExecutionCompleted, TaskExecutionFailed -> ended(fact);
          case TaskRetryScheduled -> retryScheduled(fact);
          case TaskFailedPermanently -> failedPermanently(fact.attempt);
          case TaskRequeued -> requeued(fact);
        };
    boolean ofTheSubmission = fact.type == Fact.Type.TaskAccepted || fact.type == Fact.Type.TaskRejected;
    return odd == null && acceptedId == null && !ofTheSubmission ? "a fact of a task that was never accepted" : odd;
  }

  private String accepted(Fact fact) {
    if (acceptedId != null) {
      boolean same = fact.id.equals(acceptedId);
      return same ? null : "accepted again with another type or payload; the first acceptance holds";
    }
    acceptedId = fact.id;
    if (state != State.UNKNOWN && state != State.REJECTED) {
      return "accepted after facts that should have followed";
    }
    state = State.ACCEPTED;
    attempt = Math.max(attempt, 1);
    return null;
  }

  private String rejected() {
    if (acceptedId != null) {
      return "a submission under the id of an accepted task was rejected";
    }
    if (state == State.UNKNOWN) {
      state = State.REJECTED;
    }
    return null;
  }

  private String dispatched(int number) {
    if (number < attempt) {
      return "attempt " + number + " dispatched after attempt " + attempt + " was due";
    }
    if (terminal()) {
      return number == attempt ? null : "dispatched after the end";
    }
    if (number == attempt) {
      if (waiting()) {
        state = State.DISPATCHED;
      }
      return null;
    }
    return jump(number, State.DISPATCHED, "dispatched");
  }

  private String started(Fact fact) {
    int number = fact.attempt;
    if (terminal()) {
      return "started after the end";
    }
    if (number < firstAttempt) {
      return "attempt " + number + " started after a requeue had opened attempt " + firstAttempt;
    }
    if (forgotten(number)) {
      return "attempt " + number + " started long after attempt " + attempt + " was due";
    }
    Token known = tokens.get(number);
    if (known != null && fact.token.compareTo(known) <= 0) {
      return "started with a token that is not above the last one";
    }
    tokens.put(number, fact.token);
    if (number < attempt) {
      return "attempt " + number + " started after attempt " + attempt + " was due";
    }
    if (number > attempt) {
      return jump(number, State.RUNNING, "started");
    }
    if (state == State.FAILED) {
      return "started again after its outcome";
    }
    state = State.RUNNING;
    return null;
  }

  private String ended(Fact fact) {
    int number = fact.attempt;
    if (terminal()) {
      return "an outcome after the end does not count";
    }
    if (number < firstAttempt) {
      return "an outcome of attempt " + number + ", from before the task was requeued, does not count";
    }
    if (forgotten(number)) {
      return "an outcome of attempt " + number + " long after attempt " + attempt + " was due does not count";
    }
    Token known = tokens.get(number);
    if (known != null && fact.token.compareTo(known) < 0) {
      return "an outcome below the highest token of its attempt does not count";
    }
    tokens.put(number, fact.token);
    return fact.type == Fact.Type.TaskExecutionCompleted ? completed(number, known) : failed(fact, known);
  }

  private String completed(int number, Token known) {
    int due = attempt;
    if (number < due) {
      state = State.COMPLETED;
      return "completed by attempt " + number + ", though attempt " + due + " was due";
    }
    String odd = number == due ? null : jump(number, State.COMPLETED, "completed");
    state = State.COMPLETED;
    return odd == null && known == null ? "completed without a start" : odd;
  }

  private String failed(Fact fact, Token known) {
    int due = attempt;
    int number = fact.attempt;
    if (number < due) {
      return "attempt " + number + " failed after attempt " + due + " was due";
    }
    if (number == due && state == State.FAILED) {
      return "a second outcome of the attempt does not count";
    }
    String odd = number == due ? null : jump(number, State.FAILED, "failed");
    state = State.FAILED;
    failures += fact.counted ? 1 : 0;
    return odd == null && known == null && fact.counted ? "failed without a start" : odd;
  }

  private String retryScheduled(Fact fact) {
    int number = fact.attempt;
    if (terminal()) {
      return "retry scheduled after the end";
    }
    if (number <= attempt) {
      return "retry scheduled for attempt " + number + ", though attempt " + attempt + " was due";
    }
    failures = Math.max(failures, fact.failures);
    if (number == attempt + 1 && !waiting()) {
      move(number, State.RETRY_SCHEDULED);
      return null;
    }
    return jump(number, State.RETRY_SCHEDULED, "scheduled");
  }

  private String failedPermanently(int number) {
    if (terminal()) {
      return "given up after the end";
    }
    if (number < attempt) {
      return "given up at attempt " + number + ", though attempt " + attempt + " was due";
    }
    String odd = number == attempt ? null : "attempt " + number + " given up out of order";
    move(number, State.FAILED_PERMANENTLY);
    return odd;
  }

  private String requeued(Fact fact) {
    if (requeued.contains(fact.id)) {
      return null;
    }
    requeued.add(fact.id);
    if (requeued.size() > MAX_REQUEUES_REMEMBERED) {
      requeued.remove(0);
    }
    if (state == State.UNKNOWN || state == State.REJECTED) {
      return "requeued, and it was never accepted";
    }
    if (state != State.FAILED_PERMANENTLY) {
      return "requeued while it was " + state + ": only what has failed permanently is tried again";
    }
    if (acceptedId == null) {
      return null;
    }
    int opened = Math.max(attempt, toldAfterEnd) + 1;
    if (opened > LAST_ATTEMPT) {
      return "requeued, and attempt " + LAST_ATTEMPT + " is the last one there can be";
    }
    firstAttempt = opened;
    failures = 0;
    requeues++;
    move(opened, State.RETRY_SCHEDULED);
    return null;
  }

  private String jump(int number, State next, String verb) {
    boolean first = attempt == 0 && number == 1;
    move(number, next);
    return first ? null : "attempt " + number + " " + verb + " out of order";
  }

  private void move(int number, State next) {
    attempt = number;
    state = next;
    if (tokens.size() > MAX_ATTEMPTS_REMEMBERED) {
      tokens.keySet().removeIf(this::forgotten);
    }
  }

  private boolean forgotten(int number) {
    return number <= attempt - MAX_ATTEMPTS_REMEMBERED;
  }
}
