// Lines to copy into other software: each records one booking.

export const languages = ["curl", "PHP", "JavaScript", "Python", "signalctl"] as const;

const data = `{"bookingId":"1048","title":"Wash and cut",
    "startTime":"2026-11-27T10:30:00+01:00",
    "customer":{"name":"Maria Petersen",
    "email":"maria@example.com"}}`;
const event = `{"type":"booking.created","data":
    ${data}}`;

export function lines(language: (typeof languages)[number], address: string, token: string): string {
  switch (language) {
    case "curl":
      return `curl ${address}/api/events \\
  -H "Authorization: Bearer ${token}" \\
  -H "Content-Type: application/json" \\
  -d '${event}'`;
    case "PHP":
      return `$call = curl_init("${address}/api/events");
curl_setopt_array($call, [
  CURLOPT_POSTFIELDS => '${event}',
  CURLOPT_HTTPHEADER => ["Authorization: Bearer ${token}", "Content-Type: application/json"],
  CURLOPT_RETURNTRANSFER => true,
]);
echo curl_exec($call);`;
    case "JavaScript":
      return `const answer = await fetch("${address}/api/events", {
  method: "POST",
  headers: { Authorization: "Bearer ${token}", "Content-Type": "application/json" },
  body: JSON.stringify(${event}),
});
console.log(await answer.json());`;
    case "Python":
      return `import json, urllib.request

event = ${event}
call = urllib.request.Request(
    "${address}/api/events",
    data=json.dumps(event).encode(),
    headers={"Authorization": "Bearer ${token}", "Content-Type": "application/json"},
)
print(urllib.request.urlopen(call).read().decode())`;
    case "signalctl":
      return `echo '${data}' |
  signalctl event booking.created --data -`;
  }
}
