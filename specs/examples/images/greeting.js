/** Says what Puppet wrote when the machine's image was baked. */
const { createServer } = require('node:http');
const { readFileSync } = require('node:fs');

createServer((_, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(readFileSync('/etc/greeting'));
}).listen(Number(process.env.PORT), process.env.ADDRESS);
