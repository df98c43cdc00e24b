// The same in Node: PORT is where it listens, with LEAK each request keeps a file open.
const fs = require("fs");
const http = require("http");

const kept = [];
const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    if (process.env.LEAK) kept.push(fs.openSync("/dev/null"));
    response.end(request.method === "POST" ? String(JSON.parse(body).length) : "ok");
  });
});
server.listen(Number(process.env.PORT), "127.0.0.1");
