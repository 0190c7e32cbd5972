#!/bin/lua
-- The language and its libraries: closures, coroutines, metatables, strings, patterns, integers and floats, garbage, errors, files.
local function check(name, value) print(name .. ": " .. tostring(value)) end
check("version", _VERSION)
local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
check("fib", fib(24))
local made = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)
check("coroutine", made() + made() + made())
local many = {}
for i = 1, 2000 do many[i] = coroutine.create(function(x) while true do x = coroutine.yield(x + i) end end) end
local sum = 0
for i = 1, 2000 do local _, v = coroutine.resume(many[i], 1); sum = sum + v end
check("many coroutines", sum)
check("integers", string.format("%d %d %s %s", math.maxinteger, math.mininteger, 7 // 2, -7 % 3))
check("floats", string.format("%.17g %a %s %s", 0.1, 1 / 3, 1e308 * 10, 2 ^ 53))
check("pattern", ("key = value; k2=v2"):gsub("(%w+)%s*=%s*(%w+)", "%2:%1"))
check("pack", string.unpack("<i4", string.pack("<i4", -2)))
check("utf8", utf8.len("grün — ok") .. utf8.char(8364))
local t = setmetatable({}, {__index = function(_, k) return k .. "!" end, __len = function() return 42 end, __call = function(_, a) return a * 2 end})
check("metatable", t.x .. #t .. t(4))
local ok, message = pcall(function() error({code = 5}) end)
check("error object", not ok and message.code)
check("traceback", select(2, xpcall(function() local x = nil; return x.y end, function(m) return (m:gsub("^.-:%d+: ", "")) end)))
check("deep recursion", (pcall(function() local function f() return 1 + f() end return f() end)))
local keys = {}
for i = 1, 50000 do keys[#keys + 1] = "k" .. i % 1000 end
table.sort(keys)
check("sort", keys[1] .. keys[25000] .. keys[50000])
local before = collectgarbage("count")
do local junk = {} for i = 1, 100000 do junk[i] = {i} end end
collectgarbage()
check("garbage came back", collectgarbage("count") < before + 500)
local closed = {}
do local c <close> = setmetatable({}, {__close = function() closed[1] = true end}) end
check("to be closed", closed[1])
local f = assert(io.open("file", "w+"))
f:setvbuf("full", 100)
for i = 1, 5000 do f:write(i, "\n") end
f:seek("set", 0)
local total = 0
for n in f:lines("n") do total = total + n end
check("file", total .. " " .. f:seek("end"))
f:close()
check("no such file", select(2, io.open("/no/such")))
check("load", load("return 6 * 7")())
check("dump", load(string.dump(function(a) return a + 1 end))(41))
check("weak", (function() local w = setmetatable({}, {__mode = "v"}); w[1] = {}; collectgarbage(); return w[1] end)())
check("date", os.date("!%Y-%m-%d %H:%M:%S", 86400 * 365))
check("require", package.path:match("%?%.lua") ~= nil)
