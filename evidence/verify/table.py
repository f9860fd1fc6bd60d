"""The check of each layer, by the names of `policy.LAYERS` and `policy.ON_REQUEST`."""

from collections.abc import Callable

from evidence.verify import device, event, folder, keys, log, predecessor, seal
from evidence.verify.inspection import Inspection

CHECKS: dict[str, Callable[[Inspection], str]] = {
    "layout": folder.check_layout,
    "manifest": folder.check_manifest,
    "tag-manifest": folder.check_tag_manifest,
    "bag-info": folder.check_bag_info,
    "event": event.check_event,
    "derived": event.check_derived,
    "predecessor": predecessor.check_predecessor,
    "statement": seal.check_package_statement,
    "time-stamp": seal.check_time_stamp,
    "times": seal.check_times,
    "entry": seal.check_entry,
    "inclusion": log.check_entry_inclusion,
    "checkpoint": log.check_checkpoint,
    "witness": log.check_witness,
    "witness-time": log.check_witness_time,
    "device": device.check_device,
    "keys": keys.check_keys,
    "manifest-sm3": folder.check_sm3_manifest,
    "sm2": seal.check_sm2,
}
