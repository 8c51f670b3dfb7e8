-- SPDX-License-Identifier: BSD-2-Clause
-- Wireshark dissector for swtio's captures of DOE objects in pcapng (link type USER0, 147):
--   wireshark -X lua_script:tools/swtio-doe.lua capture.pcapng
-- Names objects and SPDM messages. Secured messages stay closed: `swtio decode --keylog` opens them.

local doe = Proto("swtio_doe", "PCIe Data Object Exchange")

local types = { [0] = "discovery", [1] = "SPDM", [2] = "secured SPDM" }
local codes = {
	[0x84] = "GET_VERSION", [0x04] = "VERSION", [0xe1] = "GET_CAPABILITIES",
	[0x61] = "CAPABILITIES", [0xe3] = "NEGOTIATE_ALGORITHMS", [0x63] = "ALGORITHMS",
	[0x81] = "GET_DIGESTS", [0x01] = "DIGESTS", [0x82] = "GET_CERTIFICATE",
	[0x02] = "CERTIFICATE", [0x83] = "CHALLENGE", [0x03] = "CHALLENGE_AUTH",
	[0xe0] = "GET_MEASUREMENTS", [0x60] = "MEASUREMENTS", [0xe4] = "KEY_EXCHANGE",
	[0x64] = "KEY_EXCHANGE_RSP", [0xe5] = "FINISH", [0x65] = "FINISH_RSP",
	[0xfe] = "VENDOR_DEFINED_REQUEST", [0x7e] = "VENDOR_DEFINED_RESPONSE", [0x7f] = "ERROR",
}

local f = doe.fields
f.vendor = ProtoField.uint16("doe.vendor", "Vendor", base.HEX)
f.type = ProtoField.uint8("doe.type", "Type", base.HEX, types)
f.length = ProtoField.uint32("doe.length", "Length in DW")
f.discovery = ProtoField.uint32("doe.discovery", "Discovery data", base.HEX)
f.version = ProtoField.uint8("doe.spdm.version", "SPDM version", base.HEX)
f.code = ProtoField.uint8("doe.spdm.code", "SPDM message", base.HEX, codes)
f.param1 = ProtoField.uint8("doe.spdm.param1", "Param1", base.HEX)
f.param2 = ProtoField.uint8("doe.spdm.param2", "Param2", base.HEX)
f.body = ProtoField.bytes("doe.spdm.body", "Body")
f.session = ProtoField.uint32("doe.secured.session", "Session", base.HEX)
f.record = ProtoField.uint16("doe.secured.length", "Record length")
f.cipher = ProtoField.bytes("doe.secured.data", "Ciphertext and tag")

local function spdm(buffer, tree)
	if buffer:len() < 4 then return "malformed" end
	tree:add_le(f.version, buffer(0, 1))
	tree:add_le(f.code, buffer(1, 1))
	tree:add_le(f.param1, buffer(2, 1))
	tree:add_le(f.param2, buffer(3, 1))
	if buffer:len() > 4 then tree:add(f.body, buffer(4)) end
	local code = buffer(1, 1):uint()
	return codes[code] or string.format("SPDM 0x%02x", code)
end

local function secured(buffer, tree)
	if buffer:len() < 6 then return "malformed" end
	tree:add_le(f.session, buffer(0, 4))
	tree:add_le(f.record, buffer(4, 2))
	if buffer:len() > 6 then tree:add(f.cipher, buffer(6)) end
	return string.format("secured, session %08x", buffer(0, 4):le_uint())
end

function doe.dissector(buffer, pinfo, tree)
	if buffer:len() < 8 then return 0 end
	local subtree = tree:add(doe, buffer())
	local kind = buffer(2, 1):uint()
	local info = types[kind] or string.format("type 0x%02x", kind)

	pinfo.cols.protocol = "DOE"
	subtree:add_le(f.vendor, buffer(0, 2))
	subtree:add_le(f.type, buffer(2, 1))
	subtree:add_le(f.length, buffer(4, 4))
	if buffer:len() > 8 then
		local body = buffer(8):tvb()
		if kind == 1 then
			info = spdm(body, subtree)
		elseif kind == 2 then
			info = secured(body, subtree)
		elseif kind == 0 then
			subtree:add_le(f.discovery, body(0, 4))
		end
	end
	pinfo.cols.info = info
	return buffer:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, doe)
