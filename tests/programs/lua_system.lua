#!/bin/lua
-- What goes through the system: commands, pipes, temporary files, names, time, memory in large pieces.
local function check(name, value) print(name .. ": " .. tostring(value)) end
check("execute", select(3, os.execute("exit 3")))
check("signal", table.concat({select(2, os.execute("kill -9 $$"))}, " "))
local p = io.popen("seq 1 100000", "r")
local sum = 0
for n in p:lines("n") do sum = sum + n end
check("popen read", sum .. " " .. tostring(p:close()))
p = io.popen("wc -c >counted", "w")
p:write(("x"):rep(300000))
p:close()
check("popen write", io.open("counted"):read("n"))
check("popen status", select(3, io.popen("exit 5"):close()))
local t = io.tmpfile()
t:write("temporary")
t:seek("set")
check("tmpfile", t:read("a"))
local name = os.tmpname()
check("rename", os.rename(name, "renamed"))
check("remove", os.remove("renamed"))
check("remove again", select(2, os.remove("renamed")))
check("getenv", os.getenv("TERM"))
local c = os.clock()
for _ = 1, 100000 do end
check("clock", os.clock() >= c)
local big = {}
for i = 1, 20 do big[i] = ("x"):rep(1 << 20) end
check("memory", #table.concat(big) >> 20)
local ok = pcall(string.rep, "x", 1 << 40)
check("too much memory", ok)
for _ = 1, 30 do os.execute("true") end
check("thirty commands", "done")
