"""Inflates the parts of a workbook with decoders that do not share code, and compares them. Prints the names of the decoders.

usage: inflate.py FILE
"""
import ctypes
import ctypes.util
import shutil
import subprocess
import sys
import zipfile
import zlib


def parts(path):
    """The compressed bytes of each part, its size and its CRC-32."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        for entry in archive.infolist():
            file.seek(entry.header_offset + 26)
            lengths = file.read(4)
            file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
            yield file.read(entry.compress_size), entry.file_size, entry.CRC


def with_zlib(compressed, size):
    decoder = zlib.decompressobj(-15)
    content = decoder.decompress(compressed) + decoder.flush()
    assert decoder.eof and not decoder.unused_data and len(content) == size, "zlib: no end, or bytes after it"
    return content


def with_libdeflate(library, compressed, size):
    library.libdeflate_alloc_decompressor.restype = ctypes.c_void_p
    decoder = ctypes.c_void_p(library.libdeflate_alloc_decompressor())
    content = ctypes.create_string_buffer(max(1, size))
    read, written = ctypes.c_size_t(), ctypes.c_size_t()
    status = library.libdeflate_deflate_decompress_ex(
        decoder, compressed, ctypes.c_size_t(len(compressed)), content, ctypes.c_size_t(size), ctypes.byref(read),
        ctypes.byref(written))
    library.libdeflate_free_decompressor(decoder)
    assert status == 0 and read.value == len(compressed) and written.value == size, f"libdeflate: status {status}"
    return content.raw[:size]


def main(path):
    decoders = {"zlib": with_zlib}
    name = ctypes.util.find_library("deflate")
    if name:
        library = ctypes.CDLL(name)
        decoders["libdeflate"] = lambda compressed, size: with_libdeflate(library, compressed, size)
    for compressed, size, crc in parts(path):
        contents = [decode(compressed, size) for decode in decoders.values()]
        assert all(content == contents[0] for content in contents), "the decoders differ"
        assert zlib.crc32(contents[0]) == crc, "wrong CRC-32"
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-tqq", path], check=True)
        decoders["unzip"] = None
    print(*decoders)


if __name__ == "__main__":
    main(*sys.argv[1:])
