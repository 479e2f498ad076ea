-- SPDX-License-Identifier: Apache-2.0
-- wrk: one order a request, each with an idempotency key of its own.
--   wrk -t1 -c64 -d3s -s order.lua http://127.0.0.1:7077/ -- ITEMS DEPTH
-- DEPTH orders are sent at once on a connection (1 = no pipelining). Ends with a line of JSON.

local serial, prefix, items, depth = 0, "", 1, 1

function init(args)
   items = tonumber(args[1] or 1)
   depth = tonumber(args[2] or 1)
   local f = io.open("/dev/urandom", "rb")
   prefix = (f:read(8):gsub(".", function(c) return string.format("%02x", c:byte()) end))
   f:close()
   math.randomseed(tonumber(prefix:sub(1, 8), 16))
end

local head = "POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\n" ..
   "Content-Type: application/json\r\nContent-Length: 96\r\nIdempotency-Key: "

local function one()
   serial = serial + 1
   local sku = items == 1 and 0 or math.random(0, items - 1)
   return head .. prefix .. string.format("%016x\r\n\r\n", serial) ..
      string.format('{"lines":[{"sku":"item-%05d","quantity":1}],"customer":"a customer with a name of some length"}', sku)
end

function request()
   if depth == 1 then
      return one()
   end
   local all = {}
   for i = 1, depth do
      all[i] = one()
   end
   return table.concat(all)
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '{"name":"http","orders":%d,"refused":%d,"failed":%d,"seconds":%.3f,"per_s":%.0f,"p50_us":%d,"p99_us":%d,"p999_us":%d}\n',
      summary.requests, e.status, e.connect + e.read + e.write + e.timeout, summary.duration / 1e6,
      summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99),
      latency:percentile(99.9)))
end
