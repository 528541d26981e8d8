"""What authors declare: capabilities, extension points, answers, front ends, packs. All of it inert."""
