package bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** JSON through Jackson's streaming parser and generator: no tree and no reflection between bytes and objects. */
final class Json {
  private static final JsonFactory FACTORY = new JsonFactory();

  private Json() {}

  static JsonParser parser(byte[] source) throws IOException {
    return FACTORY.createParser(source, 0, source.length);
  }

  static byte[] bytes(Raw.Writing writing) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream(1024);
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      writing.to(json);
    }
    return out.toByteArray();
  }

  /** The members of one object of texts and numbers, all as texts. */
  static Map<String, String> texts(String source) throws IOException {
    Map<String, String> found = new LinkedHashMap<>();
    try (JsonParser parser = FACTORY.createParser(source)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        found.put(name, parser.getText());
      }
    }
    return found;
  }

  /** The text at which the parser stands, or null. */
  static String text(JsonParser parser) throws IOException {
    return parser.currentToken() == JsonToken.VALUE_NULL ? null : parser.getText();
  }

  /** The number at which the parser stands, or null. */
  static Long number(JsonParser parser) throws IOException {
    return parser.currentToken() == JsonToken.VALUE_NULL ? null : Long.valueOf(parser.getLongValue());
  }

  static void number(JsonGenerator json, String name, Long value) throws IOException {
    json.writeFieldName(name);
    number(json, value);
  }

  static void number(JsonGenerator json, Long value) throws IOException {
    if (value == null) {
      json.writeNull();
    } else {
      json.writeNumber(value.longValue());
    }
  }
}
