// A client that does what it is told: a JSON document a line on stdin, and a line on stdout for each answer and message.
import readline from "node:readline";
import mqtt from "mqtt";

const options = JSON.parse(process.argv[2]);
const client = mqtt.connect({ reconnectPeriod: 0, ...options });
const say = (event) => console.log(JSON.stringify(event));
const told = (id) => (error) => say({ done: id, error: error ? String(error) : null });

client.on("connect", (packet) => say({ connected: packet.sessionPresent }));
client.on("error", (error) => say({ failed: String(error) }));
client.on("message", (topic, payload, packet) => {
  const properties = packet.properties ?? {};
  say({
    topic,
    payload: payload.toString("base64"),
    qos: packet.qos,
    response_topic: properties.responseTopic ?? null,
    correlation_data: properties.correlationData?.toString("base64") ?? null,
    user_properties: Object.entries(properties.userProperties ?? {}),
  });
});

// Numbers as payloads, none of them waiting for the one before.
const burst = (topic, qos, count) =>
  Promise.all(Array.from({ length: count }, (_, number) => client.publishAsync(topic, String(number), { qos })));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, step, topic, payload, qos, count, properties } = JSON.parse(line);
  if (step === "burst") burst(topic, qos, count).then(() => told(id)(null), told(id));
  else if (step === "subscribe") client.subscribe(topic, { qos }, told(id));
  else if (step === "publish") client.publish(topic, Buffer.from(payload, "base64"), { qos, properties }, told(id));
  else client.end(false, {}, told(id));
});
